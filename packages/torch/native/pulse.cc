#include "pulse.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace shallows {
namespace {

const char kFailure[] = "failure";
// Between two rounds while somebody waits for what others say.
constexpr std::chrono::milliseconds kHurry{50};

std::string textOf(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }
std::vector<uint8_t> bytesOf(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

struct Pulse::Board {
  c10::intrusive_ptr<c10d::Store> store;
  int rank;
  int size;
  std::chrono::milliseconds interval;

  std::mutex mutex;
  std::condition_variable changed;
  View view;
  int64_t beats = 0;
  int64_t started = 0;
  int64_t rounds = 0;
  std::string toPublish;
  bool closing = false;
  bool hurried = false;
  bool stop = false;
  bool ended = false;
};

Pulse::Pulse(c10::intrusive_ptr<c10d::Store> store, int rank, int size, std::chrono::milliseconds interval)
    : board_(std::make_shared<Board>()) {
  board_->store = std::move(store);
  board_->rank = rank;
  board_->size = size;
  board_->interval = interval;
  board_->view.peers.resize(size);
  thread_ = std::thread([board = board_] { run(board); });
}

Pulse::~Pulse() {
  bool ended;
  {
    std::unique_lock<std::mutex> lock(board_->mutex);
    board_->stop = true;
    board_->changed.notify_all();
    ended = board_->changed.wait_for(lock, std::chrono::seconds(1), [&] { return board_->ended; });
  }
  if (ended) thread_.join();
  else thread_.detach();
}

std::string Pulse::keyOf(int rank) { return "alive/" + std::to_string(rank); }
std::vector<uint8_t> Pulse::firstBeat() { return bytesOf("0 0"); }

Pulse::View Pulse::view() const {
  const std::lock_guard<std::mutex> lock(board_->mutex);
  return board_->view;
}

void Pulse::forgive(Clock::duration asleep) {
  const std::lock_guard<std::mutex> lock(board_->mutex);
  board_->view.answered += asleep;
  for (auto& peer : board_->view.peers) peer.changed += asleep;
}

void Pulse::started() {
  const std::lock_guard<std::mutex> lock(board_->mutex);
  ++board_->started;
}

int64_t Pulse::startedHere() const {
  const std::lock_guard<std::mutex> lock(board_->mutex);
  return board_->started;
}

void Pulse::publish(const std::string& failure) {
  std::unique_lock<std::mutex> lock(board_->mutex);
  if (board_->toPublish.empty()) board_->toPublish = failure;
  board_->changed.notify_all();
  board_->changed.wait_for(lock, 3 * board_->interval,
                           [&] { return !board_->view.failure.empty() || board_->view.lost || board_->stop; });
}

void Pulse::sayGoodbye() {
  std::unique_lock<std::mutex> lock(board_->mutex);
  board_->closing = true;
  board_->changed.notify_all();
  const auto heard = [&] { return board_->view.peers[board_->rank].closed || board_->view.lost || board_->stop; };
  board_->changed.wait_for(lock, 3 * board_->interval, heard);
}

void Pulse::hurry(bool value) {
  const std::lock_guard<std::mutex> lock(board_->mutex);
  if (value != board_->hurried) board_->changed.notify_all();
  board_->hurried = value;
}

void Pulse::waitForNews(std::chrono::milliseconds most) {
  std::unique_lock<std::mutex> lock(board_->mutex);
  const int64_t before = board_->rounds;
  board_->changed.wait_for(lock, most, [&] { return board_->rounds != before || board_->stop; });
}

void Pulse::run(const std::shared_ptr<Board>& board) {
  std::unique_lock<std::mutex> lock(board->mutex);
  while (!board->stop && !board->view.lost) {
    lock.unlock();
    bool answered = true;
    try {
      round(*board);
    } catch (...) {
      answered = false;
    }
    lock.lock();
    if (answered) board->view.answered = Clock::now();
    else board->view.lost = true;
    ++board->rounds;
    board->changed.notify_all();
    const bool hurried = board->hurried;
    board->changed.wait_for(lock, hurried ? std::min(board->interval / 4, kHurry) : board->interval, [&] {
      const bool unsaid = (!board->toPublish.empty() && board->view.failure.empty()) ||
                          (board->closing && !board->view.peers[board->rank].closed);
      return board->stop || unsaid || board->hurried != hurried;
    });
  }
  board->ended = true;
  board->changed.notify_all();
}

// Says what this rank has to say, and reads what the others said. Without the lock, as the store may be slow.
void Pulse::round(Board& board) {
  std::string toPublish;
  std::string beat;
  {
    const std::lock_guard<std::mutex> lock(board.mutex);
    toPublish = board.toPublish;
    beat = std::to_string(++board.beats) + " " + std::to_string(board.started) + (board.closing ? " closed" : "");
  }
  board.store->set(keyOf(board.rank), bytesOf(beat));
  std::string failure;
  if (!toPublish.empty()) failure = textOf(board.store->compareSet(kFailure, {}, bytesOf(toPublish)));
  else if (board.store->check({kFailure})) failure = textOf(board.store->get(kFailure));
  std::vector<std::string> keys;
  for (int rank = 0; rank < board.size; ++rank) keys.push_back(keyOf(rank));
  const auto said = board.store->multiGet(keys);

  const auto now = Clock::now();
  const std::lock_guard<std::mutex> lock(board.mutex);
  board.view.failure = failure;
  for (size_t rank = 0; rank < board.view.peers.size(); ++rank) {
    Peer& peer = board.view.peers[rank];
    const std::string text = textOf(said[rank]);
    if (text == peer.said) continue;
    peer.said = text;
    peer.changed = now;
    long long beats = 0;
    long long started = 0;
    std::sscanf(text.c_str(), "%lld %lld", &beats, &started);
    peer.started = started;
    peer.closed = text.find("closed") != std::string::npos;
  }
}

}  // namespace shallows
