// Preconditions of the operators that libtorch itself lets crash, run away or read foreign memory on wrong arguments.
#pragma once

#include <string>

#include "operator.h"

namespace shallows {

// The precondition of an operator, null where libtorch checks the arguments itself.
Guard guardFor(const std::string& name);

}  // namespace shallows
