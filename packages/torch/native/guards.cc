#include "guards.h"

#include "frame.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <limits>
#include <unordered_map>

namespace shallows {
namespace {

using Values = std::vector<c10::IValue>;

const c10::IValue* find(const Operator& op, const Values& values, const char* name) {
  for (size_t i = 0; i < op.parameters.size() && i < values.size(); ++i) {
    if (op.parameters[i].name == name) return &values[i];
  }
  return nullptr;
}

const at::Tensor& tensorNamed(const Operator& op, const Values& values, const char* name) {
  static const at::Tensor none;
  const c10::IValue* value = find(op, values, name);
  return value != nullptr && value->isTensor() ? value->toTensor() : none;
}

// Operators that only others of libtorch call, with arguments those have checked.
void refuse(const Operator&, const Values&) {
  TORCH_CHECK(false, "this operator is internal to libtorch and does not check its arguments - use the operator that calls it");
}

bool isDense(const at::Tensor& tensor) { return tensor.layout() == at::kStrided && !tensor.is_nested(); }

void needTensors(const Operator& op, const Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    TORCH_CHECK(!values[i].isTensorList() || values[i].toListRef().size() > 0, "expected at least one tensor in '",
                op.parameters[i].name, "', got none");
  }
}

void needDenseLists(const Operator&, const Values& values) {
  for (const auto& value : values) {
    if (!value.isTensorList()) continue;
    for (const auto& each : value.toListRef()) {
      TORCH_CHECK(each.toTensor().defined() && isDense(each.toTensor()),
                  "expected dense tensors, got another layout - use to_dense()");
    }
  }
}

void needEqualLists(const Operator& op, const Values& values) {
  needTensors(op, values);
  needDenseLists(op, values);
  size_t length = 0;
  for (const auto& value : values) {
    if (!value.isTensorList()) continue;
    const auto list = value.toListRef();
    TORCH_CHECK(length == 0 || list.size() == length, "expected lists of one length, got ", length, " and ", list.size());
    length = list.size();
  }
}

// Dense tensors on the CPU or a device, without undefined ones.
void needDense(const Operator& op, const Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].isTensor() || !values[i].toTensor().defined()) continue;
    const at::Tensor& tensor = values[i].toTensor();
    TORCH_CHECK(isDense(tensor), "expected a dense tensor as '",
                op.parameters[i].name, "', got another layout - use to_dense()");
  }
}

template <int64_t most>
void degreeAtMost(const Operator& op, const Values& values) {
  const c10::IValue* n = find(op, values, "n");
  if (n == nullptr) n = find(op, values, "p");
  if (n == nullptr) return;
  double degree = 0;
  if (n->isTensor()) {
    const at::Tensor& tensor = n->toTensor();
    if (!tensor.defined() || tensor.numel() == 0 || tensor.is_meta() || at::isComplexType(tensor.scalar_type())) return;
    needDense(op, values);
    degree = at::nan_to_num(tensor.to(at::kDouble), 0.0, 1e300).max().item<double>();
  } else if (n->isScalar()) {
    degree = n->isComplexDouble() ? 0 : n->toScalar().to<double>();
  }
  // The kernels take a step for each degree, for each element.
  TORCH_CHECK(!(degree > static_cast<double>(most)), "expected a degree of at most ", most, ", got ", degree);
}

// The kernels divide by the number of elements, or by the product of some sizes.
void needElements(const Operator& op, const Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    TORCH_CHECK(!values[i].isTensor() || !values[i].toTensor().defined() || values[i].toTensor().numel() > 0,
                "expected elements in '", op.parameters[i].name, "', got none");
  }
}

// The gradient and the result it belongs to, walked together.
void needEqualShapes(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor* first = nullptr;
  for (const auto& value : values) {
    if (!value.isTensor() || !value.toTensor().defined()) continue;
    const at::Tensor& tensor = value.toTensor();
    if (first == nullptr) first = &tensor;
    TORCH_CHECK(tensor.sizes() == first->sizes() && tensor.scalar_type() == first->scalar_type(),
                "expected tensors of one shape and dtype, got ", describeValue(*first), " and ", describeValue(tensor));
  }
}

void groupsDivideChannels(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor& input = tensorNamed(op, values, "input");
  int64_t sizes[4] = {0, 0, 0, 0};
  const char* const names[4] = {"N", "C", "HxW", "group"};
  for (int i = 0; i < 4; ++i) {
    const c10::IValue* value = find(op, values, names[i]);
    if (value != nullptr && value->isInt()) sizes[i] = value->toInt();
    TORCH_CHECK(sizes[i] >= (i == 3 ? 1 : 0) && sizes[i] < (int64_t{1} << 20), "expected '", names[i],
                "' from ", i == 3 ? 1 : 0, ", got ", sizes[i]);
  }
  TORCH_CHECK(sizes[1] % sizes[3] == 0, "expected channels that the groups divide, got ", sizes[1], " and ", sizes[3]);
  TORCH_CHECK(input.defined() && input.numel() == sizes[0] * sizes[1] * sizes[2], "expected an input of N · C · HxW = ",
              sizes[0] * sizes[1] * sizes[2], " elements, got ", input.numel());
}

// Statistics and factors are read for each channel without a look at their lengths.
void channelsFit(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor& input = tensorNamed(op, values, "input");
  TORCH_CHECK(input.defined() && input.dim() >= 2, "expected an input of at least 2 dimensions");
  const c10::IValue* training = find(op, values, "training");
  if (training == nullptr) training = find(op, values, "train");
  const bool stored = tensorNamed(op, values, "running_mean").defined() && tensorNamed(op, values, "running_var").defined();
  TORCH_CHECK(stored || training == nullptr || (training != nullptr && training->isBool() && training->toBool()),
              "expected running statistics without training, got none");
  for (const char* name : {"weight", "bias", "running_mean", "running_var", "save_mean", "save_invstd", "save_var"}) {
    const at::Tensor& tensor = tensorNamed(op, values, name);
    TORCH_CHECK(!tensor.defined() || (tensor.dim() == 1 && tensor.size(0) == input.size(1)), "expected a '", name,
                "' of shape [", input.size(1), "], got ", describeValue(tensor));
  }
}

void needFloats(const Operator& op, const Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].isTensor() || !values[i].toTensor().defined()) continue;
    TORCH_CHECK(at::isFloatingType(values[i].toTensor().scalar_type()), "expected a floating point tensor as '",
                op.parameters[i].name, "', got ", describeValue(values[i]), " - convert with .to(dtype)");
  }
}

void needFinite(const Operator& op, const Values& values) {
  const at::Tensor& self = tensorNamed(op, values, "self");
  if (!self.defined() || self.is_meta() || !isDense(self)) return;
  TORCH_CHECK(at::isfinite(self).all().item<bool>(), "expected finite elements, got NaN or infinity");
}

// One factor for each row of `v` along `dim`.
void factorsFitRows(const Operator& op, const Values& values) {
  needDense(op, values);
  needElements(op, values);
  const at::Tensor& v = tensorNamed(op, values, "v");
  const at::Tensor& g = tensorNamed(op, values, "g");
  const c10::IValue* dim = find(op, values, "dim");
  const int64_t along = dim != nullptr && dim->isInt() ? dim->toInt() : 0;
  TORCH_CHECK(along >= 0 && along < v.dim(), "expected a dim from 0 to ", v.dim() - 1, ", got ", along);
  std::vector<int64_t> sizes(v.dim(), 1);
  sizes[along] = v.size(along);
  TORCH_CHECK(g.sizes() == at::IntArrayRef(sizes) && g.scalar_type() == v.scalar_type(), "expected factors of shape ",
              at::IntArrayRef(sizes), " and the dtype of 'v', got ", describeValue(g));
}

// Rows are counted by index without a look at the range.
void indicesNameRows(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor& indices = tensorNamed(op, values, "indices");
  const c10::IValue* rows = find(op, values, "num_weights");
  if (!indices.defined() || indices.numel() == 0 || indices.is_meta() || rows == nullptr || !rows->isInt()) return;
  TORCH_CHECK(at::isIntegralType(indices.scalar_type(), false), "expected indices of int64, got ", describeValue(indices));
  const auto least = indices.min().item<int64_t>();
  const auto largest = indices.max().item<int64_t>();
  TORCH_CHECK(least >= 0 && largest < rows->toInt(), "expected indices from 0 to ", rows->toInt() - 1, ", got ", least,
              " to ", largest);
}

// Steps hold fewer and fewer sequences, and all of them are in `data`.
void batchSizesFitData(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor& data = tensorNamed(op, values, "data");
  const at::Tensor& sizes = tensorNamed(op, values, "batch_sizes");
  TORCH_CHECK(data.defined() && data.dim() > 0 && sizes.defined() && sizes.dim() == 1 && sizes.numel() > 0 &&
                  sizes.is_cpu() && sizes.scalar_type() == at::kLong,
              "expected 'batch_sizes' of shape [steps] and dtype int64 on the CPU");
  const auto steps = sizes.contiguous();
  const auto* each = steps.const_data_ptr<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < steps.numel(); ++i) {
    TORCH_CHECK(each[i] > 0 && each[i] <= each[0] && (i == 0 || each[i] <= each[i - 1]),
                "expected 'batch_sizes' above 0 that do not rise");
    total += each[i];
  }
  TORCH_CHECK(total == data.size(0), "expected 'batch_sizes' that add up to ", data.size(0), ", got ", total);
}

void rangeBelowLargest(const Operator& op, const Values& values) {
  for (const char* name : {"from", "to"}) {
    const c10::IValue* value = find(op, values, name);
    if (value == nullptr || !value->isInt()) continue;
    TORCH_CHECK(std::abs(static_cast<double>(value->toInt())) <= 4611686018427387904.0, "expected '", name,
                "' from -2^62 to 2^62, got ", value->toInt());
  }
}

void channelsFitGradient(const Operator& op, const Values& values) {
  channelsFit(op, values);
  const at::Tensor& input = tensorNamed(op, values, "input");
  const at::Tensor& gradient = tensorNamed(op, values, "grad_out");
  TORCH_CHECK(input.numel() > 0 && gradient.defined() && gradient.sizes() == input.sizes(),
              "expected an input with elements and a gradient of its shape");
}

// With grouped heads, the query's are divided by the key's.
void headsToDivideBy(const Operator& op, const Values& values) {
  const c10::IValue* grouped = find(op, values, "enable_gqa");
  if (grouped == nullptr || !grouped->isBool() || !grouped->toBool()) return;
  for (const char* name : {"key", "value"}) {
    const at::Tensor& tensor = tensorNamed(op, values, name);
    TORCH_CHECK(!tensor.defined() || tensor.dim() < 3 || tensor.size(-3) > 0, "expected heads in '", name, "', got none");
  }
}

// The optimizers walk through all lists by the lengths of the first.
void stateFitsParameters(const Operator& op, const Values& values) {
  needDenseLists(op, values);
  const c10::IValue* first = find(op, values, "self");
  if (first == nullptr || !first->isTensorList()) return;
  const auto parameters = first->toListRef();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].isTensorList()) continue;
    const auto list = values[i].toListRef();
    const std::string& name = op.parameters[i].name;
    TORCH_CHECK(list.size() == parameters.size() || (list.empty() && name != "grads"), "expected ", parameters.size(),
                " tensors in '", name, "', got ", list.size());
    for (size_t k = 0; k < list.size(); ++k) {
      const at::Tensor& parameter = parameters[k].toTensor();
      const at::Tensor& state = list[k].toTensor();
      if (name == "state_steps") {
        TORCH_CHECK(state.numel() == 1, "expected one number a step, got ", describeValue(state));
        continue;
      }
      TORCH_CHECK(state.sizes() == parameter.sizes() && state.scalar_type() == parameter.scalar_type() &&
                      state.strides() == parameter.strides() && state.is_non_overlapping_and_dense(),
                  "expected '", name, "' like its parameter ", describeValue(parameter), ", got ", describeValue(state));
    }
  }
}

// Weights are taken from the list by layer and direction.
void weightsFitLayers(const Operator& op, const Values& values) {
  needDenseLists(op, values);
  const c10::IValue* params = find(op, values, "params");
  const c10::IValue* layers = find(op, values, "num_layers");
  const auto flag = [&](const char* name) {
    const c10::IValue* value = find(op, values, name);
    return value != nullptr && value->isBool() && value->toBool();
  };
  const int64_t count = layers != nullptr && layers->isInt() ? layers->toInt() : 0;
  TORCH_CHECK(count >= 1 && count < 1000000, "expected 'num_layers' from 1, got ", count);
  const int64_t cells = count * (flag("bidirectional") ? 2 : 1);
  const int64_t each = flag("has_biases") ? 4 : 2;
  const auto given = static_cast<int64_t>(params->toListRef().size());
  const bool projected = op.name == "aten::lstm" && given == cells * (each + 1);
  TORCH_CHECK(given == cells * each || projected, "expected ", cells * each, " weights in 'params', got ", given);
  const c10::IValue* hx = find(op, values, "hx");
  TORCH_CHECK(op.name != "aten::lstm" || hx->toListRef().size() == 2, "expected two tensors in 'hx'");
  if (find(op, values, "batch_sizes") != nullptr) batchSizesFitData(op, values);
}

void chancesInRange(const Operator& op, const Values& values) {
  needDense(op, values);
  const at::Tensor& count = tensorNamed(op, values, "count");
  const at::Tensor& prob = tensorNamed(op, values, "prob");
  if (count.is_meta() || prob.is_meta() || count.numel() == 0 || prob.numel() == 0) return;
  const bool fits = count.ge(0).logical_and(count.le(9007199254740992.0)).all().item<bool>() &&
                    prob.ge(0).logical_and(prob.le(1)).all().item<bool>();
  TORCH_CHECK(fits, "expected counts from 0 to 2^53 and probabilities from 0 to 1");
}

template <int64_t most>
void piecesAtMost(const Operator& op, const Values& values) {
  for (const char* name : {"sections", "chunks", "r"}) {
    const c10::IValue* value = find(op, values, name);
    if (value == nullptr || !value->isInt()) continue;
    TORCH_CHECK(value->toInt() <= most, "expected '", name, "' to be at most ", most, ", got ", value->toInt());
  }
}

// |n| is taken, which the smallest integer does not have.
void exponentHasOpposite(const Operator& op, const Values& values) {
  const c10::IValue* n = find(op, values, "n");
  TORCH_CHECK(n == nullptr || !n->isInt() || n->toInt() != std::numeric_limits<int64_t>::min(),
              "expected an exponent above -2^63, got -2^63");
}

// A step of 0 after its conversion to the result's dtype divides by 0.
void stepStaysAboveZero(const Operator& op, const Values& values) {
  const at::Tensor& out = tensorNamed(op, values, "out");
  const c10::IValue* step = find(op, values, "step");
  if (!out.defined() || step == nullptr || !step->isDouble()) return;
  TORCH_CHECK(!at::isIntegralType(out.scalar_type(), true) || std::abs(step->toDouble()) >= 1,
              "expected a step of at least 1 for a tensor of integers, got ", step->toDouble());
}

bool contains(const at::Tensor& tensor, int64_t value) { return tensor.eq(value).any().item<bool>(); }

// The processor traps where the quotient does not fit: smallest ÷ −1.
void quotientFits(const Operator& op, const Values& values) {
  const c10::IValue* mode = find(op, values, "rounding_mode");
  if (mode != nullptr && !(mode->isString() && mode->toStringRef() == "trunc")) return;
  const at::Tensor& self = tensorNamed(op, values, "self");
  if (!self.defined() || !at::isIntegralType(self.scalar_type(), false) || self.is_meta()) return;
  needDense(op, values);
  const c10::IValue* other = find(op, values, "other");
  const bool minusOne = other->isTensor() ? !other->toTensor().is_meta() && contains(other->toTensor(), -1)
                                          : other->isInt() && other->toInt() == -1;
  if (!minusOne) return;
  const int64_t smallest = self.scalar_type() == at::kLong  ? std::numeric_limits<int64_t>::min()
                           : self.scalar_type() == at::kInt ? std::numeric_limits<int32_t>::min()
                                                            : 1;
  TORCH_CHECK(smallest == 1 || !contains(self, smallest), "expected quotients that the dtype holds, got ", smallest,
              " ÷ -1 - convert to float64 first");
}

int64_t smallestOf(c10::ScalarType type) {
  switch (type) {
    case at::kLong:
      return std::numeric_limits<int64_t>::min();
    case at::kInt:
      return std::numeric_limits<int32_t>::min();
    case at::kShort:
      return std::numeric_limits<int16_t>::min();
    default:
      return std::numeric_limits<int8_t>::min();
  }
}

void multiplesFit(const Operator& op, const Values& values) {
  needDense(op, values);
  for (const char* name : {"self", "other"}) {
    const at::Tensor& tensor = tensorNamed(op, values, name);
    if (!tensor.defined() || tensor.is_meta() || !at::isIntegralType(tensor.scalar_type(), false)) continue;
    if (tensor.scalar_type() == at::kByte) continue;
    TORCH_CHECK(!contains(tensor, smallestOf(tensor.scalar_type())), "expected numbers whose opposite the dtype holds, got ",
                smallestOf(tensor.scalar_type()));
  }
}

// One scalar for each tensor of the first list.
void scalarsFitLists(const Operator& op, const Values& values) {
  size_t length = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].isTensorList() && i == 0) length = values[i].toListRef().size();
    if (!values[i].isList() || op.parameters[i].name != "scalars") continue;
    TORCH_CHECK(values[i].toListRef().size() == length, "expected ", length, " scalars, one a tensor, got ",
                values[i].toListRef().size());
  }
}

const std::unordered_map<std::string, Guard>& table() {
  static const std::unordered_map<std::string, Guard> guards = {
#define REFUSED(name) {"aten::" name, refuse},
#include "refused.inc"
#undef REFUSED
      {"aten::_foreach_copy", needEqualLists},
      {"aten::_foreach_copy_", needEqualLists},
      {"aten::_log_softmax_backward_data", needEqualShapes},
      {"aten::_native_batch_norm_legit", channelsFit},
      {"aten::_native_batch_norm_legit_functional", channelsFit},
      {"aten::_native_batch_norm_legit_no_training", channelsFit},
      {"aten::_softmax_backward_data", needEqualShapes},
      {"aten::_stack", needTensors},
      {"aten::_batch_norm_with_update", channelsFit},
      {"aten::_batch_norm_with_update_functional", channelsFit},
      {"aten::_fused_adagrad", stateFitsParameters},
      {"aten::_fused_adagrad_", stateFitsParameters},
      {"aten::_fused_adam", stateFitsParameters},
      {"aten::_fused_adam_", stateFitsParameters},
      {"aten::_fused_adamw", stateFitsParameters},
      {"aten::_fused_adamw_", stateFitsParameters},
      {"aten::_fused_sgd", stateFitsParameters},
      {"aten::_fused_sgd_", stateFitsParameters},
      {"aten::_scaled_dot_product_attention_math", headsToDivideBy},
      {"aten::_scaled_dot_product_flash_attention_for_cpu", needElements},
      {"aten::scaled_dot_product_attention", headsToDivideBy},
      {"aten::batch_norm_backward", channelsFitGradient},
      {"aten::batch_norm_update_stats", channelsFit},
      {"aten::binomial", chancesInRange},
      {"aten::gru", weightsFitLayers},
      {"aten::lstm", weightsFitLayers},
      {"aten::native_batch_norm_backward", channelsFitGradient},
      {"aten::rnn_relu", weightsFitLayers},
      {"aten::rnn_tanh", weightsFitLayers},
      {"aten::_linalg_eigvals", needFinite},
      {"aten::_pad_packed_sequence", batchSizesFitData},
      {"aten::_weight_norm", factorsFitRows},
      {"aten::embedding_backward", indicesNameRows},
      {"aten::embedding_dense_backward", indicesNameRows},
      {"aten::embedding_sparse_backward", indicesNameRows},
      {"aten::huber_loss_backward", needFloats},
      {"aten::linalg_eigvals", needFinite},
      {"aten::mse_loss_backward", needFloats},
      {"aten::random", rangeBelowLargest},
      {"aten::random_", rangeBelowLargest},
      {"aten::smooth_l1_loss_backward", needFloats},
      {"aten::chunk", piecesAtMost<1000000>},
      {"aten::combinations", piecesAtMost<64>},
      {"aten::copy", needDense},
      {"aten::div", quotientFits},
      {"aten::div_", quotientFits},
      {"aten::divide", quotientFits},
      {"aten::divide_", quotientFits},
      {"aten::dsplit", piecesAtMost<1000000>},
      {"aten::hsplit", piecesAtMost<1000000>},
      {"aten::lcm", multiplesFit},
      {"aten::lcm_", multiplesFit},
      {"aten::linalg_matrix_power", exponentHasOpposite},
      {"aten::matrix_power", exponentHasOpposite},
      {"aten::mvlgamma", degreeAtMost<1000000>},
      {"aten::mvlgamma_", degreeAtMost<1000000>},
      {"aten::native_batch_norm", channelsFit},
      {"aten::native_group_norm", groupsDivideChannels},
      {"aten::range", stepStaysAboveZero},
      {"aten::tensor_split", piecesAtMost<1000000>},
      {"aten::unsafe_chunk", piecesAtMost<1000000>},
      {"aten::vsplit", piecesAtMost<1000000>},
  };
  return guards;
}

bool startsWith(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

}  // namespace

Guard guardFor(const std::string& name) {
  // Beside `aten`, libtorch registers helpers of its own parts, which trust their callers.
  static const char* const internal[] = {
      "quantized::", "_quantized::", "quantization::", "mkldnn::",     "mkldnn_prepacked::", "onednn::",
      "mkl::",       "sparse::",     "static_runtime::", "symm_mem::", "c10d::",             "_c10d_functional",
      "_dtensor::",  "inductor",     "profiler::",     "_test::",
  };
  for (const char* each : internal) {
    if (startsWith(name, each)) return refuse;
  }
  // Nested tensors are a prototype of libtorch that trusts what it is given.
  if (startsWith(name, "aten::_nested_")) return refuse;
  if (startsWith(name, "aten::special_") && name.find("_polynomial_") != std::string::npos) {
    return degreeAtMost<10000>;
  }
  const auto found = table().find(name);
  if (found != table().end()) return found->second;
  return startsWith(name, "aten::_foreach_") ? scalarsFitLists : nullptr;
}

}  // namespace shallows
