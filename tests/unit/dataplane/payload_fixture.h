// SPDX-License-Identifier: BSD-3-Clause
// Payloads made by hand.
#pragma once

#include "dataplane/features/payload_kind.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::dataplane::test {

/// Bytes in network order, put together.
class Wire {
  public:
    Wire& u8(std::initializer_list<unsigned> values) {
        for (const unsigned value : values) {
            bytes_ += static_cast<char>(value);
        }
        return *this;
    }
    Wire& u16(unsigned value) { return u8({value >> 8U & 0xffU, value & 0xffU}); }
    Wire& u32(std::uint32_t value) { return u16(value >> 16U).u16(value & 0xffffU); }
    Wire& text(std::string_view words) {
        bytes_ += words;
        return *this;
    }
    Wire& fill(std::size_t count, unsigned value = 0) {
        bytes_.append(count, static_cast<char>(value));
        return *this;
    }
    /// Bytes that look random.
    Wire& noise(std::size_t count, std::uint64_t seed = 1) {
        for (std::size_t i = 0; i < count; ++i) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            bytes_ += static_cast<char>(seed >> 56U);
        }
        return *this;
    }
    [[nodiscard]] const std::string& get() const { return bytes_; }

  private:
    std::string bytes_;
};

[[nodiscard]] inline PayloadView view_of(const std::string& bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    return {
        reinterpret_cast<const std::uint8_t*>(bytes.data()),
        size < PayloadView::kMostReadable ? size : PayloadView::kMostReadable,
        size};
}

/// A TLS client hello with `name` as server name (none if empty), three suites, and HTTP/2 offered.
[[nodiscard]] inline std::string client_hello(std::string_view name) {
    Wire extensions;
    std::size_t count = 0;
    if (!name.empty()) {
        const auto size = static_cast<unsigned>(name.size());
        extensions.u16(0).u16(size + 5).u16(size + 3).u8({0}).u16(size).text(name);
        ++count;
    }
    extensions.u16(16).u16(5).u16(3).u8({2}).text("h2");
    extensions.u16(43).u16(3).u8({2}).u16(0x0304);
    Wire body;
    body.u16(0x0303).noise(32).u8({32}).noise(32, 2).u16(6).u16(0x1301).u16(0x1302).u16(0xc02b);
    body.u8({1, 0}).u16(static_cast<unsigned>(extensions.get().size())).text(extensions.get());
    const auto size = static_cast<unsigned>(body.get().size());
    return Wire().u8({22, 3, 1}).u16(size + 4).u8({1, 0}).u16(size).text(body.get()).get();
}

/// A DNS query or response of one question.
[[nodiscard]] inline std::string dns(
    std::initializer_list<std::string_view> labels, unsigned type, unsigned answers = 0) {
    Wire out;
    out.u16(0x1234).u16(answers == 0 ? 0x0100 : 0x8180).u16(1).u16(answers).u16(0).u16(0);
    for (const std::string_view label : labels) {
        out.u8({static_cast<unsigned>(label.size())}).text(label);
    }
    out.u8({0}).u16(type).u16(1);
    for (unsigned i = 0; i < answers; ++i) {
        out.u16(0xc00c).u16(type).u16(1).u32(60).u16(4).u32(0x01020304);
    }
    return out.get();
}

[[nodiscard]] inline std::string rtp_packet(
    unsigned type, unsigned sequence, std::uint32_t source = 0xaabbccdd) {
    return Wire()
        .u8({0x80, type})
        .u16(sequence)
        .u32(sequence * 160)
        .u32(source)
        .noise(160, sequence)
        .get();
}

}  // namespace weir::dataplane::test
