#include "hub.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <algorithm>
#include <cstdio>

#include "boundary.h"

namespace shallows {
namespace {

using std::chrono::milliseconds;

std::vector<uint8_t> bytesOf(const std::string& text) { return {text.begin(), text.end()}; }
std::string textOf(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::string secondsOf(Hub::Clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", std::chrono::duration<double>(time).count());
  return text;
}

// rank 1; ranks 1, 2 and 5
std::string ranksText(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

// How long the store may take to answer once it is known to be there.
constexpr milliseconds kAnswer{10000};
// Silence after which a rank is taken for gone though no operation failed: a machine that vanished closes no connection.
constexpr milliseconds kSilence{30000};
// A thread of a busy machine may not run for so long.
constexpr milliseconds kPause{1500};
// How long the rank that holds the store waits for others that are still busy when it closes.
constexpr milliseconds kGoodbye{10000};

const char kAdvice[] = " - see its own output, and start the job again from its last checkpoint";

}  // namespace

Hub::Hub(const HubOptions& options)
    : options_(options),
      interval_(std::clamp<milliseconds>(options.timeout / 30, milliseconds(50), milliseconds(1000))),
      silence_(std::max<milliseconds>(interval_ * 5 / 2, std::min<milliseconds>(kPause, options.timeout / 4))) {}

std::shared_ptr<Hub> Hub::connect(const HubOptions& options) {
  std::shared_ptr<Hub> hub(new Hub(options));
  hub->meet();
  hub->thread_ = std::thread([raw = hub.get()] { raw->watchOver(); });
  return hub;
}

Hub::~Hub() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  fail("expected operations to end before their process group is closed, got one under way - wait for it first");
}

c10::intrusive_ptr<c10d::TCPStore> Hub::client(milliseconds timeout) const {
  c10d::TCPStoreOptions wanted;
  wanted.port = options_.port;
  wanted.isServer = !store_ && serves();
  wanted.waitWorkers = false;
  wanted.timeout = timeout;
  return c10::make_intrusive<c10d::TCPStore>(options_.host, wanted);
}

c10::intrusive_ptr<c10d::Store> Hub::storeFor(const std::string& name) const {
  return c10::make_intrusive<c10d::PrefixStore>(options_.prefix + "/" + name, client(options_.timeout));
}

void Hub::meet() {
  const auto place = options_.host + ":" + std::to_string(options_.port);
  const auto began = Clock::now();
  try {
    store_ = client(options_.timeout);
  } catch (...) {
    const std::string reason = messageOf(std::current_exception());
    if (serves()) {
      TORCH_CHECK(false, "expected to listen on " + place + ", got an error - choose a free port of this machine\n" + reason);
    }
    TORCH_CHECK(false, "expected the store at " + place + ", got none in " + secondsOf(Clock::now() - began) +
                   " - start rank 0, or check the address and the firewall\n" + reason);
  }
  requireAll(place);
  auto own = c10::make_intrusive<c10d::PrefixStore>(options_.prefix, client(std::min(options_.timeout, kAnswer)));
  pulse_ = std::make_unique<Pulse>(std::move(own), options_.rank, options_.size, interval_);
}

void Hub::requireAll(const std::string& place) {
  c10d::PrefixStore keys(options_.prefix, store_);
  const std::string size = std::to_string(options_.size);
  const auto here = [](int rank) { return "here/" + std::to_string(rank); };
  std::string agreed = size;
  int64_t processes = 1;
  std::string reason;
  try {
    if (options_.rank == 0) keys.set("size", bytesOf(size));
    keys.wait({"size"}, options_.timeout);
    agreed = textOf(keys.get("size"));
    if (agreed == size) processes = keys.add(here(options_.rank), 1);
    if (agreed == size && processes == 1) {
      keys.set(Pulse::keyOf(options_.rank), Pulse::firstBeat());
      if (keys.add("count", 1) == options_.size) keys.set("all", bytesOf(size));
      keys.wait({"all"}, options_.timeout);
      return;
    }
  } catch (...) {
    reason = messageOf(std::current_exception());
  }
  TORCH_CHECK(agreed == size, "expected ", agreed, " ranks, as rank 0 says, got ", size, " - give all of them the same size");
  TORCH_CHECK(processes == 1, "expected one process as rank ", options_.rank,
              ", got a second one - give each its own rank, and each job its own port");
  std::vector<int> missing;
  try {
    for (int rank = 0; rank < options_.size; ++rank) {
      if (!keys.check({here(rank)})) missing.push_back(rank);
    }
  } catch (...) {
    TORCH_CHECK(false, "expected the store at ", place, " to stay, got it lost", kAdvice, "\n", reason);
  }
  TORCH_CHECK(false, "expected ", size, " ranks at ", place, " within ", options_.timeout.count(), " ms, got nothing from ",
              missing.empty() ? "the store" : ranksText(missing), " - start ", missing.size() == 1 ? "it" : "them",
              ", or raise timeoutMs");
}

void Hub::starting() {
  pulse_->started();
  const std::lock_guard<std::mutex> lock(mutex_);
  TORCH_CHECK(failure_.empty(), failure_);
  TORCH_CHECK(!closing_, "expected an open process group, got a closed one - make another");
}

void Hub::watch(const std::shared_ptr<Pending>& pending) {
  std::string failure;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto over = [](const std::weak_ptr<Pending>& each) {
      const auto found = each.lock();
      return !found || found->isDone();
    };
    pending_.erase(std::remove_if(pending_.begin(), pending_.end(), over), pending_.end());
    pending_.push_back(pending);
    failure = failure_;
  }
  if (!failure.empty()) pending->fail(failure);
}

void Hub::trouble(const std::string& error) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!trouble_.empty()) return;
    trouble_ = error;
    troubleAt_ = Clock::now();
  }
  pulse_->hurry(true);
  changed_.notify_all();
}

bool Hub::isSound() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return failure_.empty() && trouble_.empty();
}

void Hub::abort(const std::string& reason) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (aborted_.empty()) aborted_ = reason;
  changed_.notify_all();
  changed_.wait(lock, [&] { return !failure_.empty() || stop_; });
}

void Hub::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    // To leave because of another rank is no goodbye.
    if (!failure_.empty() || !trouble_.empty()) return;
  }
  pulse_->sayGoodbye();
  if (!serves()) return;
  pulse_->hurry(true);
  const auto until = Clock::now() + std::min(options_.timeout, kGoodbye);
  const auto gone = [&] {
    const auto view = pulse_->view();
    return view.lost || std::all_of(view.peers.begin(), view.peers.end(), [&](const Pulse::Peer& peer) {
      return peer.closed || Clock::now() - peer.changed > 5 * interval_;
    });
  };
  while (!gone() && Clock::now() < until) pulse_->waitForNews(interval_);
}

// Looks every now and then, and at once where something went wrong, whether the ranks are still together.
void Hub::watchOver() {
  auto last = Clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const auto now = Clock::now();
    // The machine slept, or this process was stopped.
    if (now - last > 5 * interval_ + kAnswer) pulse_->forgive(now - last);
    last = now;
    if (failure_.empty()) {
      const auto view = pulse_->view();
      if (trouble_.empty() && hasOverdue()) {
        trouble_ = "no answer within " + std::to_string(patience().count()) + " ms";
        troubleAt_ = now;
        pulse_->hurry(true);
      }
      std::string cause = view.failure;
      if (cause.empty() && !aborted_.empty()) {
        cause = "expected all ranks to go on, got an error on rank " + std::to_string(options_.rank) + " - " + aborted_;
      }
      if (cause.empty()) cause = causeOfTrouble(view);
      if (!cause.empty()) {
        lock.unlock();
        pulse_->publish(cause);
        // The store goes with this rank: others must have had the time to read the cause.
        if (serves() && options_.size > 1) std::this_thread::sleep_for(interval_ + interval_ / 2);
        fail(cause);
        lock.lock();
        continue;
      }
    }
    const bool hurry = !trouble_.empty() && failure_.empty();
    changed_.wait_for(lock, hurry ? interval_ / 4 : interval_, [&] {
      return stop_ || (failure_.empty() && (!aborted_.empty() || (!hurry && !trouble_.empty())));
    });
  }
}

bool Hub::hasOverdue() const {
  const auto now = Clock::now();
  return std::any_of(pending_.begin(), pending_.end(), [&](const std::weak_ptr<Pending>& each) {
    const auto pending = each.lock();
    return pending && !pending->isDone() && pending->isOverdue(now);
  });
}

// Why an operation failed, or that a rank vanished; '' while neither is known. Under the lock.
std::string Hub::causeOfTrouble(const Pulse::View& view) const {
  const auto now = Clock::now();
  const bool failed = !trouble_.empty();
  const std::string details = failed ? "\n" + trouble_ : "";
  const std::string all = "expected all " + std::to_string(options_.size) + " ranks, got ";
  const Clock::duration silence = failed ? silence_ : std::min(options_.timeout, kSilence);
  const auto quiet = now - view.answered;
  // A store whose process ended breaks the connection; where this process holds it, silence means that it was itself held up.
  if ((failed && view.lost) || (quiet > 2 * silence && !serves())) {
    const std::string who = options_.outside ? "the store at " + options_.host : "rank 0, which holds the store,";
    return all + (view.lost ? "the connection to " + who + " lost" : "no sign of life from " + who + " for " + secondsOf(quiet)) +
           kAdvice + details;
  }
  std::vector<int> silent;
  std::vector<int> left;
  std::vector<int> behind;
  const int64_t here = pulse_->startedHere();
  Clock::duration longest{};
  std::string counts;
  for (int rank = 0; rank < options_.size; ++rank) {
    const Pulse::Peer& peer = view.peers[rank];
    if (rank == options_.rank) continue;
    if (peer.closed) {
      left.push_back(rank);
    } else if (!view.lost && view.answered - peer.changed > silence) {
      // As far as this rank looked: one that is held up itself blames nobody.
      silent.push_back(rank);
      longest = std::max<Clock::duration>(longest, view.answered - peer.changed);
    } else if (peer.started < here) {
      behind.push_back(rank);
      counts += (counts.empty() ? "" : ", ") + std::to_string(peer.started);
    }
  }
  if (!silent.empty()) {
    return all + "no sign of life from " + ranksText(silent) + " for " + secondsOf(longest) + kAdvice + details;
  }
  if (!failed) return "";
  if (!left.empty()) {
    return all + "none from " + ranksText(left) + ", which left - let all ranks take the same number of steps" + details;
  }
  if (now - troubleAt_ < 2 * silence_) return "";
  if (behind.empty()) return all + "an error - see the output of the others" + details;
  return all + "nothing from " + ranksText(behind) + ", alive but behind with " + counts + " of " + std::to_string(here) +
         " operations - let all ranks do the same in the same order, or raise timeoutMs" + details;
}

void Hub::fail(const std::string& cause) {
  std::vector<std::shared_ptr<Pending>> open;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    failure_ = cause;
    for (const auto& each : pending_) {
      if (auto pending = each.lock()) open.push_back(std::move(pending));
    }
    pending_.clear();
  }
  changed_.notify_all();
  for (const auto& each : open) each->fail(cause);
}

}  // namespace shallows
