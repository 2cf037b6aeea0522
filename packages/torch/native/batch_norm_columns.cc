#include <algorithm>
#include <vector>

#include "batch_norm_layouts.h"
#include "loops.h"

namespace shallows {
namespace {

// Rows are taken together until a line has so many elements: few channels alone would leave a wide processor idle.
constexpr int64_t kLine = 64;
// Elements that are looked at twice while they are in the nearest cache, and the fewest rows of them.
constexpr int64_t kBlock = 8192;
constexpr int64_t kFewestRows = 32;

// One value for each element of a line, from one a channel.
template <typename T>
struct Line {
  const T* mean;
  const T* scale;
  const T* bias;
  // Of a backward pass: dx = (g − mean of g − (x − μ) · slope) · scale
  const T* gradientMean;
  const T* slope;
};

template <typename T>
struct Loops {
  // All take `lines` lines of n elements; sums are added to what is there.
  void (*sum)(T* all, const T* x, int64_t lines, int64_t n);
  void (*deviations)(T* first, T* second, const T* x, const T* from, int64_t lines, int64_t n);
  void (*normalise)(T* y, const T* x, Line<T> by, int64_t lines, int64_t n);
  void (*normaliseRelu)(T* y, const T* x, Line<T> by, int64_t lines, int64_t n);
  void (*gradientSums)(T* first, T* second, const T* g, const T* x, Line<T> by, int64_t lines, int64_t n);
  void (*gradientSumsRelu)(T* first, T* second, const T* g, const T* x, Line<T> by, int64_t lines, int64_t n);
  void (*gradient)(T* dx, const T* g, const T* x, Line<T> by, int64_t lines, int64_t n);
  void (*gradientRelu)(T* dx, const T* g, const T* x, Line<T> by, int64_t lines, int64_t n);
};

// Roundings are written out as in the loops over planes: the backward pass finds again what the relu cut.
#define SHALLOWS_LOOPS(NAME, TARGET, MULTIPLY_ADD)                                                                     \
  template <typename T>                                                                                                \
  struct NAME {                                                                                                        \
    TARGET static void sum(T* __restrict all, const T* __restrict x, int64_t lines, int64_t n) {                       \
      for (; lines > 0; lines--, x += n)                                                                               \
        for (int64_t i = 0; i < n; i++) all[i] += x[i];                                                                \
    }                                                                                                                  \
    TARGET static void deviations(T* __restrict first, T* __restrict second, const T* __restrict x,                    \
                                  const T* __restrict from, int64_t lines, int64_t n) {                                \
      for (; lines > 0; lines--, x += n)                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          const T apart = x[i] - from[i];                                                                              \
          first[i] += apart;                                                                                           \
          second[i] = MULTIPLY_ADD(apart, apart, second[i]);                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    TARGET static void normalise(T* __restrict y, const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {       \
      const T *__restrict mean = by.mean, *__restrict scale = by.scale, *__restrict bias = by.bias;                    \
      for (; lines > 0; lines--, x += n, y += n)                                                                       \
        for (int64_t i = 0; i < n; i++) y[i] = MULTIPLY_ADD(x[i] - mean[i], scale[i], bias[i]);                        \
    }                                                                                                                  \
    TARGET static void normaliseRelu(T* __restrict y, const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {   \
      const T *__restrict mean = by.mean, *__restrict scale = by.scale, *__restrict bias = by.bias;                    \
      for (; lines > 0; lines--, x += n, y += n)                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          const T each = MULTIPLY_ADD(x[i] - mean[i], scale[i], bias[i]);                                              \
          y[i] = each < 0 ? T(0) : each;                                                                               \
        }                                                                                                              \
    }                                                                                                                  \
    TARGET static void gradientSums(T* __restrict first, T* __restrict second, const T* __restrict g,                  \
                                    const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {                     \
      const T* __restrict mean = by.mean;                                                                              \
      for (; lines > 0; lines--, x += n, g += n)                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          first[i] += g[i];                                                                                            \
          second[i] = MULTIPLY_ADD(g[i], x[i] - mean[i], second[i]);                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    TARGET static void gradientSumsRelu(T* __restrict first, T* __restrict second, const T* __restrict g,              \
                                        const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {                 \
      const T *__restrict mean = by.mean, *__restrict scale = by.scale, *__restrict bias = by.bias;                    \
      for (; lines > 0; lines--, x += n, g += n)                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          const T apart = x[i] - mean[i];                                                                              \
          const T y = MULTIPLY_ADD(apart, scale[i], bias[i]);                                                          \
          const T kept = y <= 0 ? T(0) : g[i];                                                                         \
          first[i] += kept;                                                                                            \
          second[i] = MULTIPLY_ADD(kept, apart, second[i]);                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    TARGET static void gradient(T* dx, const T* g, const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {      \
      const T *__restrict mean = by.mean, *__restrict scale = by.scale;                                                \
      const T *__restrict gradientMean = by.gradientMean, *__restrict slope = by.slope;                                \
      for (; lines > 0; lines--, x += n, g += n, dx += n) {                                                            \
        SHALLOWS_IN_PLACE                                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                \
          dx[i] = MULTIPLY_ADD(mean[i] - x[i], slope[i], g[i] - gradientMean[i]) * scale[i];                           \
      }                                                                                                                \
    }                                                                                                                  \
    TARGET static void gradientRelu(T* dx, const T* g, const T* __restrict x, Line<T> by, int64_t lines, int64_t n) {  \
      const T *__restrict mean = by.mean, *__restrict scale = by.scale, *__restrict bias = by.bias;                    \
      const T *__restrict gradientMean = by.gradientMean, *__restrict slope = by.slope;                                \
      for (; lines > 0; lines--, x += n, g += n, dx += n) {                                                            \
        SHALLOWS_IN_PLACE                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                              \
          const T apart = x[i] - mean[i];                                                                              \
          const T y = MULTIPLY_ADD(apart, scale[i], bias[i]);                                                          \
          const T kept = y <= 0 ? T(0) : g[i];                                                                         \
          dx[i] = MULTIPLY_ADD(-apart, slope[i], kept - gradientMean[i]) * scale[i];                                   \
        }                                                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
    static constexpr Loops<T> all{sum,          deviations,       normalise, normaliseRelu,                            \
                                  gradientSums, gradientSumsRelu, gradient,  gradientRelu};                            \
  };

SHALLOWS_DEFINE_LOOPS(SHALLOWS_LOOPS)

// How rows are shared out: the same for any number of threads, so that sums are.
struct Blocks {
  explicit Blocks(const Columns& columns)
      : channels(columns.channels),
        rows(columns.rows),
        together(std::max<int64_t>(1, kLine / columns.channels)),
        line(together * columns.channels),
        each(std::max(kFewestRows, kBlock / columns.channels) / together * together),
        count((columns.rows + each - 1) / each) {}

  int64_t rowsOf(int64_t block) const { return std::min(each, rows - block * each); }

  // Calls f(offset, lines, n) for the whole lines of a block, and for what is left of it.
  template <typename F>
  void forLines(int64_t block, F f) const {
    const int64_t begin = block * each * channels, lines = rowsOf(block) / together;
    if (lines > 0) f(begin, lines, line);
    const int64_t left = rowsOf(block) % together;
    if (left > 0) f(begin + lines * line, int64_t{1}, left * channels);
  }

  const int64_t channels;
  const int64_t rows;
  // Rows of a line, and its elements.
  const int64_t together;
  const int64_t line;
  // Rows of a block, and the number of blocks.
  const int64_t each;
  const int64_t count;
};

// One value a channel for each row of a line.
template <typename T>
std::vector<T> repeated(const Blocks& blocks, const T* values) {
  std::vector<T> line(blocks.line);
  for (int64_t i = 0; i < blocks.line; i++) line[i] = values[i % blocks.channels];
  return line;
}

template <typename T>
double sumOfRows(const Blocks& blocks, const std::vector<T>& line, int64_t channel) {
  double all = 0;
  for (int64_t i = channel; i < blocks.line; i += blocks.channels) all += line[i];
  return all;
}

template <typename T>
std::vector<T> scalesOf(const T* inverse, const T* weight, int64_t channels) {
  std::vector<T> scales(channels);
  for (int64_t channel = 0; channel < channels; channel++) scales[channel] = inverse[channel] * weight[channel];
  return scales;
}

}  // namespace

template <typename T>
void forwardColumns(const BatchNormForward<T>& job, const Columns& columns) {
  const Blocks blocks(columns);
  const Loops<T>& loops = loopsOf<T>();
  const int64_t channels = blocks.channels;
  // Of each block and channel: the mean, and the squared deviations from it.
  std::vector<double> means(blocks.count * channels), squares(blocks.count * channels);
  forEach(blocks.count, blocks.each * channels, [&](int64_t block) {
    std::vector<T> sums(blocks.line), first(blocks.line), second(blocks.line);
    blocks.forLines(block, [&](int64_t at, int64_t lines, int64_t n) { loops.sum(sums.data(), job.x + at, lines, n); });
    const double count = static_cast<double>(blocks.rowsOf(block));
    std::vector<T> around(channels);
    for (int64_t c = 0; c < channels; c++) around[c] = static_cast<T>(sumOfRows(blocks, sums, c) / count);
    const std::vector<T> from = repeated(blocks, around.data());
    blocks.forLines(block, [&](int64_t at, int64_t lines, int64_t n) {
      loops.deviations(first.data(), second.data(), job.x + at, from.data(), lines, n);
    });
    for (int64_t c = 0; c < channels; c++) {
      const double off = sumOfRows(blocks, first, c) / count;
      means[block * channels + c] = around[c] + off;
      squares[block * channels + c] = sumOfRows(blocks, second, c) - off * off * count;
    }
  });
  const double count = static_cast<double>(blocks.rows);
  std::vector<double> mean(channels), deviations(channels);
  for (int64_t block = 0; block < blocks.count; block++) {
    const double share = static_cast<double>(blocks.rowsOf(block)) / count;
    for (int64_t c = 0; c < channels; c++) mean[c] += means[block * channels + c] * share;
  }
  for (int64_t block = 0; block < blocks.count; block++) {
    const double rows = static_cast<double>(blocks.rowsOf(block));
    for (int64_t c = 0; c < channels; c++) {
      const double apart = means[block * channels + c] - mean[c];
      deviations[c] += squares[block * channels + c] + rows * apart * apart;
    }
  }
  for (int64_t c = 0; c < channels; c++) job.setStats(c, count, mean[c], deviations[c]);
  const std::vector<T> mu = repeated(blocks, job.mean), beta = repeated(blocks, job.bias);
  const std::vector<T> scale = repeated(blocks, scalesOf(job.inverse, job.weight, channels).data());
  const Line<T> by{mu.data(), scale.data(), beta.data(), nullptr, nullptr};
  const auto write = job.relu ? loops.normaliseRelu : loops.normalise;
  forEach(blocks.count, blocks.each * channels, [&](int64_t block) {
    blocks.forLines(block, [&](int64_t at, int64_t lines, int64_t n) { write(job.y + at, job.x + at, by, lines, n); });
  });
}

template <typename T>
void backwardColumns(const BatchNormBackward<T>& job, const Columns& columns) {
  const Blocks blocks(columns);
  const Loops<T>& loops = loopsOf<T>();
  const int64_t channels = blocks.channels;
  const std::vector<T> mu = repeated(blocks, job.mean), beta = repeated(blocks, job.bias);
  const std::vector<T> scale = repeated(blocks, scalesOf(job.inverse, job.weight, channels).data());
  Line<T> by{mu.data(), scale.data(), beta.data(), nullptr, nullptr};
  std::vector<double> firsts(blocks.count * channels), seconds(blocks.count * channels);
  const auto add = job.relu ? loops.gradientSumsRelu : loops.gradientSums;
  forEach(blocks.count, blocks.each * channels, [&](int64_t block) {
    std::vector<T> first(blocks.line), second(blocks.line);
    blocks.forLines(block, [&](int64_t at, int64_t lines, int64_t n) {
      add(first.data(), second.data(), job.gradient + at, job.x + at, by, lines, n);
    });
    for (int64_t c = 0; c < channels; c++) {
      firsts[block * channels + c] = sumOfRows(blocks, first, c);
      seconds[block * channels + c] = sumOfRows(blocks, second, c);
    }
  });
  const double count = static_cast<double>(blocks.rows);
  std::vector<T> gradientMeans(channels), slopes(channels);
  for (int64_t c = 0; c < channels; c++) {
    double first = 0, second = 0;
    for (int64_t block = 0; block < blocks.count; block++) {
      first += firsts[block * channels + c];
      second += seconds[block * channels + c];
    }
    const double inverse = job.inverse[c];
    job.dBias[c] = static_cast<T>(first);
    job.dWeight[c] = static_cast<T>(second * inverse);
    gradientMeans[c] = static_cast<T>(first / count);
    slopes[c] = static_cast<T>(second * inverse * inverse / count);
  }
  if (job.dx == nullptr) return;
  const std::vector<T> gradientMean = repeated(blocks, gradientMeans.data()), slope = repeated(blocks, slopes.data());
  by.gradientMean = gradientMean.data();
  by.slope = slope.data();
  const auto write = job.relu ? loops.gradientRelu : loops.gradient;
  forEach(blocks.count, blocks.each * channels, [&](int64_t block) {
    blocks.forLines(block, [&](int64_t at, int64_t lines, int64_t n) {
      write(job.dx + at, job.gradient + at, job.x + at, by, lines, n);
    });
  });
}

template void forwardColumns(const BatchNormForward<float>&, const Columns&);
template void forwardColumns(const BatchNormForward<double>&, const Columns&);
template void backwardColumns(const BatchNormBackward<float>&, const Columns&);
template void backwardColumns(const BatchNormBackward<double>&, const Columns&);

}  // namespace shallows
