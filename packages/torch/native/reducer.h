// Sums the gradients of a step over ranks while its backward pass goes on.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "group.h"

namespace shallows {

// What a step knows of a parameter before its last backward pass.
enum class Expected : uint8_t {
  kGradient = 0,     // it gets a gradient here
  kNothingHere = 1,  // it gets none here: this rank adds what earlier passes left, or zeros
  kNothing = 2,      // no rank has a gradient: it is left alone
};

class Reducer {
 public:
  // Names, one a parameter, are for messages; there may be none.
  Reducer(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, std::vector<std::string> names,
          int64_t bucketBytes, int64_t firstBucketBytes);
  ~Reducer();

  void begin(const std::vector<Expected>& expected);
  // Blocks until all is summed and puts it where the gradients are.
  void finish();
  // Of all steps so far.
  int64_t bytes() const;
  // Of the step that runs or ran last.
  size_t buckets() const;

 private:
  struct Step;
  const std::shared_ptr<Step> step_;
};

}  // namespace shallows
