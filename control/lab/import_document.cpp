// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/import_document.h"

#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 64;

// Builds the document, and stops where values are more than the bytes that could hold them (UBJSON can announce any
// number of values of no bytes) or nested deeper than any model.
class BoundedBuilder final : public nlohmann::json_sax<Json> {
  public:
    BoundedBuilder(Json& out, std::size_t values) : builder_(out, false), left_(values) {}

    bool null() override { return count() && builder_.null(); }
    bool boolean(bool value) override { return count() && builder_.boolean(value); }
    bool number_integer(number_integer_t value) override {
        return count() && builder_.number_integer(value);
    }
    bool number_unsigned(number_unsigned_t value) override {
        return count() && builder_.number_unsigned(value);
    }
    bool number_float(number_float_t value, const string_t& text) override {
        return count() && builder_.number_float(value, text);
    }
    bool string(string_t& value) override { return count() && builder_.string(value); }
    bool binary(binary_t& value) override { return count() && builder_.binary(value); }
    bool start_object(std::size_t elements) override {
        return deeper(elements) && builder_.start_object(kUnknown);
    }
    bool key(string_t& value) override { return count() && builder_.key(value); }
    bool end_object() override {
        --depth_;
        return builder_.end_object();
    }
    bool start_array(std::size_t elements) override {
        return deeper(elements) && builder_.start_array(kUnknown);
    }
    bool end_array() override {
        --depth_;
        return builder_.end_array();
    }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
        return false;
    }

  private:
    static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

    bool count() noexcept {
        if (left_ == 0) {
            return false;
        }
        --left_;
        return true;
    }
    bool deeper(std::size_t elements) noexcept {
        return count() && (elements == kUnknown || elements <= left_) && ++depth_ <= kMaxDepth;
    }

    nlohmann::detail::json_sax_dom_parser<Json> builder_;
    std::size_t left_;
    std::size_t depth_ = 0;
};

}  // namespace

bool is_document(std::string_view bytes) noexcept {
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && bytes[first] == '{';
}

Result<Json> parse_document(std::string_view bytes) {
    // In text, the object's brace is followed by a key in quotes, by nothing, or by white space.
    const std::size_t brace = bytes.find('{');
    const bool text =
        brace + 1 >= bytes.size() ||
        std::string_view("\"} \t\r\n").find(bytes[brace + 1]) != std::string_view::npos;
    Json out;
    bool ok = false;
    if (bytes.size() <= kMaxModelBytes) {
        BoundedBuilder builder(out, bytes.size() + 1);
        try {
            ok = Json::sax_parse(
                bytes.begin(),
                bytes.end(),
                &builder,
                text ? nlohmann::detail::input_format_t::json
                     : nlohmann::detail::input_format_t::ubjson);
        } catch (const Json::exception&) {
            ok = false;
        }
    }
    if (!ok) {
        return fail(
            "import",
            {},
            text ? "is not JSON" : "is neither JSON nor UBJSON",
            "save the model as .json or .ubj with XGBoost 1.7");
    }
    return out;
}

}  // namespace weir::lab
