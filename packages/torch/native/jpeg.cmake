# libjpeg-turbo, if the system has it with its headers: sets jpeg_libraries and takes jpeg.cc out of sources where not. Other
# libjpegs round differently.

set(jpeg_libraries "")
find_package(JPEG QUIET)
if(JPEG_FOUND)
  file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/has_turbo.cc" "#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#ifndef LIBJPEG_TURBO_VERSION
#error
#endif
int main() { jpeg_decompress_struct job; jpeg_create_decompress(&job); jpeg_mem_src(&job, nullptr, 0); }
")
  try_compile(has_turbo "${CMAKE_CURRENT_BINARY_DIR}/has_turbo" SOURCES "${CMAKE_CURRENT_BINARY_DIR}/has_turbo.cc"
    CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${JPEG_INCLUDE_DIRS}" LINK_LIBRARIES ${JPEG_LIBRARIES})
endif()
if(has_turbo)
  set(jpeg_libraries ${JPEG_LIBRARIES})
else()
  message(STATUS "JPEG files are decoded without libjpeg-turbo, as it or its headers are missing")
  list(FILTER sources EXCLUDE REGEX "/jpeg\\.cc$")
endif()
