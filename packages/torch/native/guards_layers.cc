#include <algorithm>

#include "arguments.h"

namespace shallows {
namespace {

// The gradient and the result it belongs to, walked together.
void needEqualShapes(const Operator& op, Values& values) {
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

void needFloats(const Operator& op, Values& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].isTensor() || !values[i].toTensor().defined()) continue;
    TORCH_CHECK(at::isFloatingType(values[i].toTensor().scalar_type()), "expected a floating point tensor as '",
                op.parameters[i].name, "', got ", describeValue(values[i]), " - convert with .to(dtype)");
  }
}

void groupsDivideChannels(const Operator& op, Values& values) {
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
void channelsFit(const Operator& op, Values& values) {
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

void channelsFitGradient(const Operator& op, Values& values) {
  channelsFit(op, values);
  const at::Tensor& input = tensorNamed(op, values, "input");
  const at::Tensor& gradient = tensorNamed(op, values, "grad_out");
  TORCH_CHECK(input.numel() > 0 && gradient.defined() && gradient.sizes() == input.sizes(),
              "expected an input with elements and a gradient of its shape");
}

// With grouped heads, the query's are divided by the key's.
void headsToDivideBy(const Operator& op, Values& values) {
  const c10::IValue* grouped = find(op, values, "enable_gqa");
  if (grouped == nullptr || !grouped->isBool() || !grouped->toBool()) return;
  for (const char* name : {"key", "value"}) {
    const at::Tensor& tensor = tensorNamed(op, values, name);
    TORCH_CHECK(!tensor.defined() || tensor.dim() < 3 || tensor.size(-3) > 0, "expected heads in '", name, "', got none");
  }
}

// Whether elements lie in one order. The strides of dimensions of size 1 are anything.
bool liesLike(const at::Tensor& a, const at::Tensor& b) {
  for (int64_t dim = 0; dim < a.dim(); dim++) {
    if (a.size(dim) > 1 && a.stride(dim) != b.stride(dim)) return false;
  }
  return true;
}

// The optimizers walk through all lists by the lengths of the first.
void stateFitsParameters(const Operator& op, Values& values) {
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
                      liesLike(state, parameter) && state.is_non_overlapping_and_dense(),
                  "expected '", name, "' like its parameter ", describeValue(parameter), ", got ", describeValue(state));
    }
  }
}

// One factor for each row of `v` along `dim`.
void factorsFitRows(const Operator& op, Values& values) {
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
void indicesNameRows(const Operator& op, Values& values) {
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

// Bags begin where their offsets say, which are read as they are.
void bagsFitIndices(const Operator& op, Values& values) {
  needDense(op, values);
  const at::Tensor& indices = tensorNamed(op, values, "indices");
  const at::Tensor& offsets = tensorNamed(op, values, "offsets");
  if (!indices.defined() || !offsets.defined() || offsets.is_meta() || indices.is_meta()) return;
  TORCH_CHECK(offsets.dim() == 1 && at::isIntegralType(offsets.scalar_type(), false),
              "expected 'offsets' of shape [bags] and dtype int64, got ", describeValue(offsets));
  if (offsets.numel() == 0) return;
  const auto least = offsets.min().item<int64_t>();
  const auto largest = offsets.max().item<int64_t>();
  TORCH_CHECK(least >= 0 && largest <= indices.numel(), "expected 'offsets' from 0 to ", indices.numel(), ", got ", least,
              " to ", largest);
}

// Rows are exchanged as the pivots say, one for each column.
void pivotsFitMatrix(const Operator& op, Values& values) {
  needDense(op, values);
  const at::Tensor& matrix = tensorNamed(op, values, "LU_data");
  const at::Tensor& pivots = tensorNamed(op, values, "LU_pivots");
  if (!matrix.defined() || !pivots.defined() || matrix.dim() < 2) return;
  auto sizes = matrix.sizes().vec();
  sizes.pop_back();
  sizes.back() = std::min(matrix.size(-2), matrix.size(-1));
  TORCH_CHECK(pivots.sizes() == at::IntArrayRef(sizes), "expected 'LU_pivots' of shape ", at::IntArrayRef(sizes), ", got ",
              describeValue(pivots));
}

// Steps hold fewer and fewer sequences, and all of them are in `data`.
void batchSizesFitData(const Operator& op, Values& values) {
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

// Weights are taken from the list by layer and direction.
void weightsFitLayers(const Operator& op, Values& values) {
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

}  // namespace

const GuardTable& layerGuards() {
  static const GuardTable guards = {
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
      {"aten::_log_softmax_backward_data", needEqualShapes},
      {"aten::_embedding_bag_forward_only", bagsFitIndices},
      {"aten::_fused_sdp_choice", headsToDivideBy},
      {"aten::embedding_bag", bagsFitIndices},
      {"aten::lu_unpack", pivotsFitMatrix},
      {"aten::_masked_softmax", needElements},
      {"aten::_native_batch_norm_legit", channelsFit},
      {"aten::_native_batch_norm_legit_functional", channelsFit},
      {"aten::_native_batch_norm_legit_no_training", channelsFit},
      {"aten::_pad_packed_sequence", batchSizesFitData},
      {"aten::_scaled_dot_product_attention_math", headsToDivideBy},
      {"aten::_scaled_dot_product_flash_attention_for_cpu", needElements},
      {"aten::_softmax_backward_data", needEqualShapes},
      {"aten::_weight_norm", factorsFitRows},
      {"aten::batch_norm_backward", channelsFitGradient},
      {"aten::batch_norm_update_stats", channelsFit},
      {"aten::embedding_backward", indicesNameRows},
      {"aten::embedding_dense_backward", indicesNameRows},
      {"aten::embedding_sparse_backward", indicesNameRows},
      {"aten::gelu_backward", needEqualShapes},
      {"aten::gru", weightsFitLayers},
      {"aten::huber_loss_backward", needFloats},
      {"aten::lstm", weightsFitLayers},
      {"aten::mse_loss_backward", needFloats},
      {"aten::native_batch_norm", channelsFit},
      {"aten::native_batch_norm_backward", channelsFitGradient},
      {"aten::native_group_norm", groupsDivideChannels},
      {"aten::rnn_relu", weightsFitLayers},
      {"aten::rnn_tanh", weightsFitLayers},
      {"aten::scaled_dot_product_attention", headsToDivideBy},
      {"aten::rrelu_with_noise", needEqualShapes},
      {"aten::rrelu_with_noise_", needEqualShapes},
      {"aten::rrelu_with_noise_backward", needEqualShapes},
      {"aten::rrelu_with_noise_functional", needEqualShapes},
      {"aten::smooth_l1_loss_backward", needFloats},
  };
  return guards;
}

}  // namespace shallows
