// Dropout whose masks are functions of keys, as operators of the dispatcher.
#pragma once

namespace shallows {

void registerKeyed();

}  // namespace shallows
