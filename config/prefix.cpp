// SPDX-License-Identifier: BSD-3-Clause
#include "config/load.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace weir::config {

namespace {

constexpr std::size_t kMappedBytes = 12;
constexpr std::uint8_t kMappedBits = 96;
constexpr std::array<std::uint8_t, kMappedBytes> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// The byte's mask where the first `length` bits count.
std::uint8_t mask_of(unsigned length, std::size_t byte) {
    const unsigned from = static_cast<unsigned>(byte) * 8;
    if (length >= from + 8) {
        return 0xff;
    }
    return length <= from ? std::uint8_t{0} : static_cast<std::uint8_t>(0xff00U >> (length - from));
}

bool is_mapped(const Prefix& prefix) {
    return prefix.length >= kMappedBits &&
           std::equal(kMapped.begin(), kMapped.end(), prefix.address.begin());
}

}  // namespace

std::optional<Prefix> parse_prefix(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string address(text.substr(0, slash));
    Prefix out;
    unsigned most = 128;
    if (::inet_pton(AF_INET, address.c_str(), out.address.data() + kMappedBytes) == 1) {
        std::copy(kMapped.begin(), kMapped.end(), out.address.begin());
        most = 32;
    } else if (::inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1) {
        return std::nullopt;
    }
    unsigned length = most;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [at, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (error != std::errc{} || at != digits.data() + digits.size() || length > most) {
            return std::nullopt;
        }
    }
    out.length = static_cast<std::uint8_t>(most == 32 ? length + kMappedBits : length);
    for (std::size_t i = 0; i < out.address.size(); ++i) {
        if ((out.address[i] & ~mask_of(out.length, i) & 0xffU) != 0) {
            return std::nullopt;
        }
    }
    return out;
}

std::string prefix_text(const Prefix& prefix) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (is_mapped(prefix)) {
        (void)::inet_ntop(
            AF_INET, prefix.address.data() + kMappedBytes, buffer.data(), buffer.size());
        return std::string(buffer.data()) + "/" + std::to_string(prefix.length - kMappedBits);
    }
    (void)::inet_ntop(AF_INET6, prefix.address.data(), buffer.data(), buffer.size());
    return std::string(buffer.data()) + "/" + std::to_string(prefix.length);
}

bool covers(const Prefix& outer, const Prefix& inner) noexcept {
    if (outer.length > inner.length) {
        return false;
    }
    for (std::size_t i = 0; i < outer.address.size(); ++i) {
        if (((outer.address[i] ^ inner.address[i]) & mask_of(outer.length, i)) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace weir::config
