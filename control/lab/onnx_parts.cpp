// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/onnx_parts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace weir::lab {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;

// Names come from the file: what is not plain text is not repeated.
std::string clean(const std::string& text) {
    constexpr std::size_t kMost = 64;
    std::string out = text.substr(0, kMost);
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return out;
}

template <typename T>
std::vector<double> from_raw(const std::string& raw) {
    std::vector<double> out(raw.size() / sizeof(T));
    for (std::size_t i = 0; i < out.size(); ++i) {
        T value;
        std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
        out[i] = static_cast<double>(value);
    }
    return out;
}

template <typename T, typename List>
std::vector<double> from_either(const onnx::Tensor& tensor, const List& list) {
    return tensor.has_raw_data() ? from_raw<T>(tensor.raw_data())
                                 : std::vector<double>(list.begin(), list.end());
}

}  // namespace

Result<Constant> read_constant(const onnx::Tensor& tensor) {
    const std::string field = "initializer '" + clean(tensor.name()) + "'";
    if (tensor.data_location() == 1) {
        return fail(kOnnx, field, "lies in another file", "save the model as one file");
    }
    Constant out;
    switch (tensor.data_type()) {
        case 1:
            out.values = from_either<float>(tensor, tensor.float_data());
            break;
        case 2:
            out.values = from_either<std::uint8_t>(tensor, tensor.int32_data());
            out.unsigned_code = true;
            break;
        case 3:
            out.values = from_either<std::int8_t>(tensor, tensor.int32_data());
            break;
        case 6:
            out.values = from_either<std::int32_t>(tensor, tensor.int32_data());
            break;
        case 7:
            out.values = from_either<std::int64_t>(tensor, tensor.int64_data());
            break;
        case 11:
            out.values = from_either<double>(tensor, tensor.double_data());
            break;
        default:
            return fail(
                kOnnx,
                field,
                "has element type " + std::to_string(tensor.data_type()),
                "use float, double, int8, uint8, int32 or int64");
    }
    std::int64_t count = 1;
    for (const std::int64_t dim : tensor.dims()) {
        if (dim < 0 || dim > kMaxElements || (count *= dim) > kMaxElements) {
            return fail(kOnnx, field, "is too large");
        }
        out.dims.push_back(dim);
    }
    const bool finite = std::all_of(
        out.values.begin(), out.values.end(), [](double v) { return std::isfinite(v); });
    if (static_cast<std::size_t>(count) != out.values.size() || !finite) {
        return fail(kOnnx, field, "has values missing or not finite", "export the model again");
    }
    return out;
}

const onnx::Attribute* Attributes::find(std::string_view name) const {
    for (const onnx::Attribute& attribute : node_.attribute()) {
        if (attribute.name() == name) {
            return &attribute;
        }
    }
    return nullptr;
}

std::vector<float> Attributes::floats(std::string_view name) const {
    const auto* found = find(name);
    return found == nullptr ? std::vector<float>()
                            : std::vector<float>(found->floats().begin(), found->floats().end());
}

std::vector<std::int64_t> Attributes::ints(std::string_view name) const {
    const auto* found = find(name);
    return found == nullptr ? std::vector<std::int64_t>()
                            : std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
}

std::vector<std::string> Attributes::strings(std::string_view name) const {
    const auto* found = find(name);
    return found == nullptr
               ? std::vector<std::string>()
               : std::vector<std::string>(found->strings().begin(), found->strings().end());
}

float Attributes::number(std::string_view name, float otherwise) const {
    const auto* found = find(name);
    return found == nullptr ? otherwise : found->f();
}

std::int64_t Attributes::whole(std::string_view name, std::int64_t otherwise) const {
    const auto* found = find(name);
    return found == nullptr ? otherwise : found->i();
}

std::string Attributes::text(std::string_view name, const std::string& otherwise) const {
    const auto* found = find(name);
    return found == nullptr ? otherwise : clean(found->s());
}

tl::unexpected<Error> refuse(
    const onnx::Node& node, const std::string& what, const std::string& fix) {
    std::string field = "operator " + clean(node.op_type());
    if (!node.domain().empty()) {
        field += " of " + clean(node.domain());
    }
    if (!node.name().empty()) {
        field += " (node '" + clean(node.name()) + "')";
    }
    return fail(kOnnx, field, what, fix);
}

}  // namespace weir::lab
