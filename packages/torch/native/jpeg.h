// Decoding of JPEG files, where the addon was built with libjpeg-turbo.
#pragma once

namespace shallows {

// Adds `shallows::decode_jpeg`, once a process.
void registerJpeg();

}  // namespace shallows
