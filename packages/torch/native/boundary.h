// The one place where C++ exceptions become JavaScript errors.
#pragma once

#include <c10/util/Exception.h>
#include <napi.h>

#include <new>
#include <string>

#include "frame.h"

namespace shallows {

inline std::string messageOf(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Mismatch& error) {
    return error.message;
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an unknown error";
  }
}

// Runs `body`; whatever it throws becomes a pending JavaScript error with the given prefix. Napi::Error passes through.
template <typename F>
Napi::Value guarded(Napi::Env env, const char* where, F body) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error::New(env, std::string(where) + ": " + messageOf(std::current_exception()));
  }
}

}  // namespace shallows
