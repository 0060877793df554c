// SPDX-License-Identifier: BSD-3-Clause
// Wire format: https://protobuf.dev/programming-guides/encoding/
#include "kernels/model/wire_check.h"

#include "kernels/model/bundle.pb.h"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include <google/protobuf/descriptor.h>

namespace weir::kernels {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using ByteSpan = std::span<const std::byte>;

// Field indices within a message are counted in a fixed array; the schema's largest message has far fewer.
constexpr int kMaxFieldsPerMessage = 16;

enum class Wire : std::uint32_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

class Cursor {
  public:
    explicit Cursor(ByteSpan bytes) : rest_(bytes) {}

    [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

    // Nullopt if truncated, longer than 64 bits, or not in the shortest form.
    std::optional<std::uint64_t> varint() noexcept {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
            const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
            value |= (byte & 0x7f) << (7 * i);
            if (byte < 0x80) {
                const bool overlong = i > 0 && byte == 0;
                const bool overflow = i == 9 && byte > 1;
                rest_ = rest_.subspan(i + 1);
                return overlong || overflow ? std::nullopt : std::optional(value);
            }
        }
        return std::nullopt;
    }

    std::optional<ByteSpan> take(std::uint64_t n) noexcept {
        if (n > rest_.size()) {
            return std::nullopt;
        }
        const ByteSpan head = rest_.first(n);
        rest_ = rest_.subspan(n);
        return head;
    }

  private:
    ByteSpan rest_;
};

bool continuation(std::byte b) noexcept {
    return (std::to_integer<unsigned>(b) & 0xc0) == 0x80;
}

// One code point by RFC 3629 (shortest form, no surrogates, at most U+10FFFF); nullopt if ill-formed.
std::optional<std::uint32_t> next_code_point(Cursor& text) noexcept {
    const auto lead = std::to_integer<std::uint32_t>(text.take(1)->front());
    if (lead < 0x80) {
        return lead;
    }
    const std::size_t extra = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    const auto tail = text.take(extra);
    if (lead < 0xc2 || lead > 0xf4 || !tail) {
        return std::nullopt;
    }
    std::uint32_t code = lead & (0x3fU >> extra);
    for (const std::byte b : *tail) {
        if (!continuation(b)) {
            return std::nullopt;
        }
        code = code << 6 | (std::to_integer<std::uint32_t>(b) & 0x3f);
    }
    constexpr std::array<std::uint32_t, 4> kLeast{0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < kLeast[extra] || surrogate || code > 0x10ffff ? std::nullopt
                                                                : std::optional(code);
}

// Such text reaches terminals and logs, so no control characters (C0 other than \n and \t, DEL, C1).
bool clean_text(ByteSpan bytes) noexcept {
    Cursor text(bytes);
    while (!text.done()) {
        const auto code = next_code_point(text);
        if (!code) {
            return false;
        }
        const bool control = *code < 0x20 || (*code >= 0x7f && *code < 0xa0);
        if (control && *code != '\n' && *code != '\t') {
            return false;
        }
    }
    return true;
}

Wire wire_of(const FieldDescriptor& field) noexcept {
    switch (field.type()) {
        case FieldDescriptor::TYPE_DOUBLE:
        case FieldDescriptor::TYPE_FIXED64:
        case FieldDescriptor::TYPE_SFIXED64:
            return Wire::fixed64;
        case FieldDescriptor::TYPE_FLOAT:
        case FieldDescriptor::TYPE_FIXED32:
        case FieldDescriptor::TYPE_SFIXED32:
            return Wire::fixed32;
        case FieldDescriptor::TYPE_STRING:
        case FieldDescriptor::TYPE_BYTES:
        case FieldDescriptor::TYPE_MESSAGE:
            return Wire::length;
        default:
            return Wire::varint;
    }
}

// Largest varint that protobuf would not cut to fit the field. Negative int64 values use all 64 bits.
std::uint64_t varint_limit(const FieldDescriptor& field) noexcept {
    switch (field.type()) {
        case FieldDescriptor::TYPE_BOOL:
            return 1;
        case FieldDescriptor::TYPE_UINT32:
        case FieldDescriptor::TYPE_SINT32:
            return std::numeric_limits<std::uint32_t>::max();
        case FieldDescriptor::TYPE_ENUM:
            return std::numeric_limits<std::int32_t>::max();
        default:
            return std::numeric_limits<std::uint64_t>::max();
    }
}

class Checker {
  public:
    Checker(const std::string& where, std::string root) : where_(where), path_(std::move(root)) {}

    // Checks one message; path_ names it on entry and on successful exit.
    Result<void> message(ByteSpan bytes, const Descriptor& type) {
        std::array<std::uint32_t, kMaxFieldsPerMessage> seen{};
        Cursor cursor(bytes);
        while (!cursor.done()) {
            const auto tag = cursor.varint();
            if (!tag || *tag > std::numeric_limits<std::uint32_t>::max()) {
                return refuse("the encoding is broken (field tag)");
            }
            const FieldDescriptor* field = type.FindFieldByNumber(static_cast<int>(*tag >> 3));
            if (field == nullptr) {
                return fail(
                    where_,
                    path_,
                    "unknown field number " + std::to_string(*tag >> 3),
                    "if a newer weirlab made this bundle, upgrade the gateway");
            }
            const std::size_t outer = path_.size();
            push(*field, seen[static_cast<std::size_t>(field->index())]);
            auto ok = occurrence(*field, seen).and_then([&] {
                return value(*field, cursor, Wire{static_cast<std::uint32_t>(*tag & 7)});
            });
            if (!ok) {
                return ok;
            }
            path_.resize(outer);
        }
        return complete(type, seen);
    }

  private:
    using Seen = std::array<std::uint32_t, kMaxFieldsPerMessage>;

    [[nodiscard]] tl::unexpected<Error> refuse(std::string what) const {
        return fail(where_, path_, std::move(what), "make the bundle anew with weirlab");
    }

    void push(const FieldDescriptor& field, std::uint32_t index) {
        if (!path_.empty()) {
            path_ += '.';
        }
        path_ += field.name();
        if (field.is_repeated() && !field.is_packed()) {
            path_ += '[' + std::to_string(index) + ']';
        }
    }

    Result<void> occurrence(const FieldDescriptor& field, Seen& seen) const {
        const std::uint32_t count = ++seen[static_cast<std::size_t>(field.index())];
        if (!field.is_repeated() || field.is_packed()) {
            if (count > 1) {
                return refuse("given twice");
            }
        } else if (count > field.options().GetExtension(model::v1::max_count)) {
            return refuse("more than " + std::to_string(count - 1) + " elements");
        }
        if (const auto* oneof = field.real_containing_oneof(); oneof != nullptr) {
            for (int i = 0; i < oneof->field_count(); ++i) {
                const auto other = static_cast<std::size_t>(oneof->field(i)->index());
                if (oneof->field(i) != &field && seen[other] > 0) {
                    return refuse(
                        "given beside '" + oneof->field(i)->name() + "', of which only one may be");
                }
            }
        }
        return {};
    }

    Result<void> value(const FieldDescriptor& field, Cursor& cursor, Wire wire) {
        const bool packed = field.is_packed();
        if (wire != (packed ? Wire::length : wire_of(field))) {
            return refuse("wrong type on the wire");
        }
        if (wire != Wire::length) {
            return scalar(field, cursor);
        }
        const auto length = cursor.varint();
        const auto body = length ? cursor.take(*length) : std::nullopt;
        if (!body) {
            return refuse("the encoding is broken (truncated)");
        }
        if (packed) {
            return elements(field, *body);
        }
        if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
            return message(*body, *field.message_type());
        }
        if (const auto limit = field.options().GetExtension(model::v1::max_len);
            body->size() > limit) {
            return refuse(
                std::to_string(body->size()) + " bytes long, at most " + std::to_string(limit) +
                " may be");
        }
        if (field.type() == FieldDescriptor::TYPE_STRING && !clean_text(*body)) {
            return refuse("not UTF-8 text, or with control characters");
        }
        return {};
    }

    Result<void> scalar(const FieldDescriptor& field, Cursor& cursor) const {
        if (const Wire wire = wire_of(field); wire != Wire::varint) {
            return cursor.take(wire == Wire::fixed64 ? 8 : 4)
                       ? Result<void>{}
                       : refuse("the encoding is broken (truncated)");
        }
        const auto number = cursor.varint();
        if (!number) {
            return refuse("the encoding is broken (number)");
        }
        return *number <= varint_limit(field) ? Result<void>{} : refuse("number out of range");
    }

    Result<void> elements(const FieldDescriptor& field, ByteSpan body) const {
        const std::uint32_t limit = field.options().GetExtension(model::v1::max_count);
        Cursor cursor(body);
        for (std::uint32_t n = 0; !cursor.done(); ++n) {
            if (n == limit) {
                return refuse("more than " + std::to_string(limit) + " elements");
            }
            if (auto ok = scalar(field, cursor); !ok) {
                return ok;
            }
        }
        return body.empty() ? refuse("given, but empty") : Result<void>{};
    }

    Result<void> complete(const Descriptor& type, const Seen& seen) {
        for (int i = 0; i < type.field_count(); ++i) {
            const FieldDescriptor& field = *type.field(i);
            if (field.options().GetExtension(model::v1::required) &&
                seen[static_cast<std::size_t>(i)] == 0) {
                return missing(field.name());
            }
        }
        // Every oneof of the schema needs one of its members.
        for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
            const auto& oneof = *type.oneof_decl(i);
            bool any = false;
            for (int j = 0; j < oneof.field_count(); ++j) {
                any |= seen[static_cast<std::size_t>(oneof.field(j)->index())] > 0;
            }
            if (!any) {
                return missing(oneof.name());
            }
        }
        return {};
    }

    [[nodiscard]] tl::unexpected<Error> missing(const std::string& name) const {
        return fail(
            where_,
            path_.empty() ? name : path_ + '.' + name,
            "missing",
            "make the bundle anew with weirlab");
    }

    const std::string& where_;
    std::string path_;
};

}  // namespace

Result<void> check_wire(
    ByteSpan bytes,
    const google::protobuf::Descriptor& type,
    const std::string& where,
    const std::string& root) {
    return Checker(where, root).message(bytes, type);
}

}  // namespace weir::kernels
