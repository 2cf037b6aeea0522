#include "pending.h"

#include <ATen/core/ivalue.h>
#include <c10/util/Exception.h>

#include <utility>

#include "boundary.h"
#include "hub.h"

namespace shallows {
namespace {

// Without the place in Gloo's sources that its messages begin with, and the guesses that they end with.
std::string reasonOf(std::exception_ptr failure) {
  std::string text = messageOf(failure);
  const size_t end = text.find("] ");
  if (text.rfind('[', 0) == 0 && end != std::string::npos && text.find(".cc:") < end) text.erase(0, end + 2);
  return text.substr(0, text.find(" This is typically"));
}

}  // namespace

void whenOver(const c10::intrusive_ptr<c10d::Work>& work, std::function<void(const std::string* error)> listener) {
  work->getFuture()->addCallback([listener = std::move(listener)](c10::ivalue::Future& future) {
    if (!future.hasError()) {
      listener(nullptr);
      return;
    }
    const std::string error = reasonOf(future.exception_ptr());
    listener(&error);
  });
}

Pending::Pending(const std::shared_ptr<Hub>& hub, std::string what, std::function<void()> finish)
    : hub_(hub), what_(std::move(what)), deadline_(std::chrono::steady_clock::now() + hub->patience()),
      finish_(std::move(finish)) {}

std::shared_ptr<Pending> Pending::make(const std::shared_ptr<Hub>& hub, std::string what, std::function<void()> finish) {
  std::shared_ptr<Pending> pending(new Pending(hub, std::move(what), std::move(finish)));
  hub->watch(pending);
  return pending;
}

void Pending::begin(Works works) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    works_ = works;
    left_ = works.size();
  }
  for (const auto& work : works) {
    whenOver(work, [pending = shared_from_this()](const std::string* error) {
      if (error == nullptr) {
        pending->arrived();
      } else if (const auto hub = pending->hub_.lock()) {
        hub->trouble(*error);
      }
    });
  }
}

void Pending::arrived() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--left_ > 0) return;
  }
  complete(std::nullopt);
}

void Pending::fail(const std::string& error) { complete(error); }

void Pending::complete(std::optional<std::string> error) {
  std::vector<std::function<void()>> listeners;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (done_) return;
    done_ = true;
    error_ = std::move(error);
    listeners.swap(listeners_);
  }
  changed_.notify_all();
  for (const auto& each : listeners) each();
}

bool Pending::isDone() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return done_;
}

void Pending::whenDone(std::function<void()> listener) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!done_) {
      listeners_.push_back(std::move(listener));
      return;
    }
  }
  listener();
}

void Pending::wait() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return done_; });
  }
  settle();
}

void Pending::settle() {
  Works works;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    TORCH_INTERNAL_ASSERT(done_);
    TORCH_CHECK(!error_.has_value(), *error_);
    works.swap(works_);
  }
  // Makes streams of a device wait for the result; the operation itself is over.
  for (const auto& work : works) work->wait();
  if (const auto finish = std::exchange(finish_, nullptr)) finish();
}

}  // namespace shallows
