// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_hosts.h"

#include <initializer_list>

namespace weir::lab::synth {
namespace {

static_assert(kMaxBenignScenarios * kServersEach <= 254);
static_assert(kMaxAttackScenarios * kAttackersEach <= 254);
static_assert(kClients <= 254);

[[nodiscard]] Address v4(unsigned a, unsigned b, unsigned c, std::size_t d) noexcept {
    Address out;
    out.bytes[12] = static_cast<std::uint8_t>(a);
    out.bytes[13] = static_cast<std::uint8_t>(b);
    out.bytes[14] = static_cast<std::uint8_t>(c);
    out.bytes[15] = static_cast<std::uint8_t>(d);
    return out;
}

// 2001:db8:SITE:NET::HOST
[[nodiscard]] Address v6_of(unsigned site, std::size_t net, std::size_t host) noexcept {
    Address out;
    out.v6 = true;
    std::size_t i = 0;
    for (const std::size_t word :
         {std::size_t{0x2001}, std::size_t{0x0db8}, std::size_t{site}, net}) {
        out.bytes[i++] = static_cast<std::uint8_t>(word >> 8U);
        out.bytes[i++] = static_cast<std::uint8_t>(word);
    }
    out.bytes[14] = static_cast<std::uint8_t>(host >> 8U);
    out.bytes[15] = static_cast<std::uint8_t>(host);
    return out;
}

}  // namespace

Address client_address(bool v6, std::size_t index) noexcept {
    return v6 ? v6_of(1, 0, 1 + index) : v4(192, 0, 2, 1 + index);
}

Address server_address(bool v6, std::size_t scenario, std::size_t index) noexcept {
    return v6 ? v6_of(2, scenario, 1 + index)
              : v4(198, 51, 100, 1 + scenario * kServersEach + index);
}

Address attacker_address(bool v6, std::size_t scenario, std::size_t index) noexcept {
    return v6 ? v6_of(0xbad, scenario, 1 + index)
              : v4(203, 0, 113, 1 + scenario * kAttackersEach + index);
}

Address reflector_address(bool v6, std::size_t index) noexcept {
    return v6 ? v6_of(5, index >> 8U, 0x53)
              : v4(198, 18, static_cast<unsigned>(index >> 8U), index & 0xffU);
}

Address group_address(bool v6, std::size_t index) noexcept {
    if (!v6) {
        return v4(233, 252, 0, 1 + index);
    }
    Address out;
    out.v6 = true;
    out.bytes = {0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0xb8, 0, 0, 0, 1};
    out.bytes[15] = static_cast<std::uint8_t>(1 + index);
    return out;
}

Address spoofed_address(bool v6, Rng& rng) noexcept {
    const std::uint64_t r = rng.next();
    if (!v6) {
        return v4(198, 19, static_cast<unsigned>(r & 0xffU), (r >> 8U) & 0xffU);
    }
    Address out = v6_of(0x8000 | static_cast<unsigned>(r & 0x7fffU), r >> 16U & 0xffffU, 0);
    const std::uint64_t host = rng.next();
    for (std::size_t i = 0; i < 8; ++i) {
        out.bytes[8 + i] = static_cast<std::uint8_t>(host >> (8 * i));
    }
    return out;
}

Ports::Ports(std::size_t scenarios, std::uint64_t seed) : used_(scenarios * 2 * kClients) {
    Rng rng(seed);
    for (auto& used : used_) {
        used = static_cast<std::uint16_t>(rng.below(kCount));
    }
}

std::uint16_t Ports::next(std::size_t scenario, bool v6, std::size_t host) noexcept {
    std::uint16_t& used = used_[(scenario * 2 + (v6 ? 1 : 0)) * kClients + host];
    used = static_cast<std::uint16_t>((used + 1) % kCount);
    return static_cast<std::uint16_t>(kFirst + used);
}

}  // namespace weir::lab::synth
