#include "operator.h"

#include <ATen/core/jit_type.h>

#include <unordered_set>

#include "guards.h"

namespace shallows {
namespace {

Kind kindOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return Kind::kTensor;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      return Kind::kInt;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType:
      return Kind::kFloat;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType:
      return Kind::kBool;
    case c10::TypeKind::StringType:
      return Kind::kString;
    case c10::TypeKind::NumberType:
      return Kind::kScalar;
    case c10::TypeKind::ScalarTypeType:
      return Kind::kDType;
    case c10::TypeKind::DeviceObjType:
      return Kind::kDevice;
    case c10::TypeKind::LayoutType:
      return Kind::kLayout;
    case c10::TypeKind::MemoryFormatType:
      return Kind::kMemoryFormat;
    case c10::TypeKind::GeneratorType:
      return Kind::kGenerator;
    case c10::TypeKind::ListType:
      return Kind::kList;
    default:
      return Kind::kUnsupported;
  }
}

ArgumentType typeOf(const c10::TypePtr& type, int fixedLength) {
  ArgumentType result;
  result.text = type->str();
  c10::TypePtr inner = type;
  if (auto optional = type->cast<c10::OptionalType>()) {
    result.optional = true;
    inner = optional->getElementType();
  }
  result.kind = kindOf(inner);
  if (auto list = inner->cast<c10::ListType>()) {
    result.element = std::make_shared<ArgumentType>(typeOf(list->getElementType(), 0));
    result.fixedLength = fixedLength;
  }
  return result;
}

// The operators for which PyTorch's own argument parser takes a number where the schema says Tensor.
bool numbersStandForTensors(const std::string& name) {
  static const std::unordered_set<std::string> names = {
      "aten::add",       "aten::add_",       "aten::sub",          "aten::sub_",         "aten::mul",
      "aten::mul_",      "aten::div",        "aten::div_",         "aten::divide",       "aten::divide_",
      "aten::multiply",  "aten::multiply_",  "aten::subtract",     "aten::subtract_",    "aten::true_divide",
      "aten::true_divide_", "aten::floor_divide", "aten::floor_divide_", "aten::fmod",   "aten::fmod_",
      "aten::remainder", "aten::remainder_",
  };
  return names.count(name) != 0;
}

bool isSpatial(const std::string& name) {
  static const std::unordered_set<std::string> names = {
      "kernel_size", "kernel", "stride", "padding", "dilation", "output_padding", "output_size", "pad",
      "upscale_factor", "downscale_factor", "groups",
  };
  return names.count(name) != 0;
}

}  // namespace

Operator prepareOperator(const c10::OperatorHandle& handle) {
  Operator result{handle, {}, {}, handle.operator_name().name, handle.operator_name().overload_name};
  const auto& schema = handle.schema();
  const bool numbers = numbersStandForTensors(result.name);
  for (const auto& argument : schema.arguments()) {
    Parameter parameter;
    parameter.name = argument.name();
    parameter.type = typeOf(argument.real_type(), argument.N().value_or(0));
    if (isSpatial(parameter.name)) {
      parameter.type.spatial = true;
      if (parameter.type.element) parameter.type.element->spatial = true;
    }
    parameter.keywordOnly = argument.kwarg_only();
    parameter.acceptsNumber = numbers && argument.name() == "other" && parameter.type.kind == Kind::kTensor;
    if (argument.default_value().has_value()) {
      parameter.defaultValue = *argument.default_value();
      parameter.type.mayBeEmpty = parameter.defaultValue->isList() && parameter.defaultValue->toListRef().empty();
    }
    result.parameters.push_back(std::move(parameter));
  }
  for (const auto& returned : schema.returns()) {
    const auto* alias = returned.alias_info();
    result.returnsAlias.push_back(alias != nullptr && alias->isWrite());
  }
  result.guard = guardFor(result.name);
  return result;
}

}  // namespace shallows
