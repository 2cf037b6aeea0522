# Which process groups this libtorch has: sets distributed_include and distributed_definitions, and takes the files that
# need what is not there out of sources.

set(distributed_include "")
set(distributed_definitions "")

# Headers lie beside every libtorch, also beside one that was built without what they declare: a small program is linked.
function(links result program)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${result}.cc")
  file(WRITE "${source}" "${program}\n")
  if(APPLE)
    set(options "")
  else()
    # The libraries that libtorch itself needs are found when it is loaded.
    set(options "-Wl,--unresolved-symbols=ignore-in-shared-libs")
  endif()
  try_compile(${result} "${CMAKE_CURRENT_BINARY_DIR}/${result}" SOURCES "${source}"
    LINK_OPTIONS ${options} LINK_LIBRARIES ${libraries})
  set(${result} ${${result}} PARENT_SCOPE)
endfunction()

links(has_gloo "namespace c10d { struct ProcessGroupGloo { unsigned nextTag(); }; }
int main(int count, char**) { return count > 9 ? reinterpret_cast<c10d::ProcessGroupGloo*>(&count)->nextTag() : 0; }")

if(has_gloo)
  list(APPEND distributed_definitions SHALLOWS_DISTRIBUTED)
  # Debian's libtorch comes with Gloo's own headers; others have none.
  set(gloo_headers FALSE)
  foreach(folder ${LIBTORCH_INCLUDE})
    if(EXISTS "${folder}/gloo/context.h")
      set(gloo_headers TRUE)
    endif()
  endforeach()
  if(NOT gloo_headers)
    foreach(header algorithm common/error context rendezvous/store transport/device)
      file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/headers/gloo/${header}.h" "#include \"${CMAKE_CURRENT_SOURCE_DIR}/gloo_types.h\"\n")
    endforeach()
    list(APPEND distributed_include "${CMAKE_CURRENT_BINARY_DIR}/headers")
  endif()
else()
  list(FILTER sources EXCLUDE REGEX "/(distributed|gloo|group|hub|pending|pulse|reducer|sequence|sync_batch_norm)\\.cc$")
endif()

if(has_gloo AND LIBTORCH_CUDA)
  links(has_nccl "namespace c10d { struct ProcessGroupNCCL { struct Options { explicit Options(bool); char room[4096]; }; }; }
int main(int count, char**) { if (count > 9) c10d::ProcessGroupNCCL::Options options(true); return 0; }")
  if(has_nccl)
    # NCCL's header lies beside the wheel or in the system, CUDA's in a toolkit: the wheels leave out parts of those.
    file(GLOB nvidia_include "${LIBTORCH_LIB}/../../nvidia/*/include")
    list(APPEND nvidia_include /usr/local/cuda/include)
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    try_compile(nccl_compiles "${CMAKE_CURRENT_BINARY_DIR}/nccl_compiles" SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/nccl.cc"
      COMPILE_DEFINITIONS -DSHALLOWS_NCCL -D_GLIBCXX_USE_CXX11_ABI=${LIBTORCH_CXX11_ABI}
      CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${LIBTORCH_INCLUDE};${nvidia_include}"
      CXX_STANDARD 20 OUTPUT_VARIABLE nccl_output)
    unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
    if(nccl_compiles)
      list(APPEND distributed_definitions SHALLOWS_NCCL)
      list(APPEND distributed_include ${nvidia_include})
    else()
      message(STATUS "NCCL is left out, as its headers or CUDA's are missing:\n${nccl_output}")
    endif()
  endif()
endif()
if(NOT "SHALLOWS_NCCL" IN_LIST distributed_definitions)
  list(FILTER sources EXCLUDE REGEX "/nccl\\.cc$")
endif()
