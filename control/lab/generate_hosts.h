// SPDX-License-Identifier: BSD-3-Clause
// Who talks: addresses set aside for documentation and benchmarks, shared out so that flows of different scenarios
// never have the same 5-tuple, and a label is never ambiguous.
//
//   clients     192.0.2.0/24                2001:db8:1::/64
//   servers     198.51.100.0/24             2001:db8:2::/48       a part for each benign scenario
//   attackers   203.0.113.0/24              2001:db8:bad::/48     a part for each attack scenario
//   reflectors  198.18.0.0/16               2001:db8:5::/48
//   spoofed     198.19.0.0/16               2001:db8:8000::/33
//   groups      233.252.0.0/24              ff0e::db8:0:0/96
// Sources: RFC 5737, 2544, 3849, 6676.
#pragma once

#include "control/lab/generate_packet.h"
#include "control/lab/generate_random.h"

#include <array>
#include <cstdint>
#include <vector>

namespace weir::lab::synth {

inline constexpr std::size_t kMaxBenignScenarios = 21;
inline constexpr std::size_t kMaxAttackScenarios = 25;
inline constexpr std::size_t kClients = 250;
inline constexpr std::size_t kServersEach = 12;
inline constexpr std::size_t kAttackersEach = 10;
inline constexpr std::size_t kReflectors = 4096;

/// Addresses by role and index; `scenario` counts the benign ones and the attacks each from 0.
[[nodiscard]] Address client_address(bool v6, std::size_t index) noexcept;
[[nodiscard]] Address server_address(bool v6, std::size_t scenario, std::size_t index) noexcept;
[[nodiscard]] Address attacker_address(bool v6, std::size_t scenario, std::size_t index) noexcept;
[[nodiscard]] Address reflector_address(bool v6, std::size_t index) noexcept;
[[nodiscard]] Address group_address(bool v6, std::size_t index) noexcept;
[[nodiscard]] Address spoofed_address(bool v6, Rng& rng) noexcept;

/// Hands out initiators' ports: a host's next one of 28232, by scenario.
class Ports {
  public:
    static constexpr std::uint16_t kFirst = 32768;
    static constexpr std::uint16_t kCount = 28232;

    Ports(std::size_t scenarios, std::uint64_t seed);
    /// `host`: index of the client or attacker, below kClients.
    [[nodiscard]] std::uint16_t next(std::size_t scenario, bool v6, std::size_t host) noexcept;

  private:
    std::vector<std::uint16_t> used_;
};

}  // namespace weir::lab::synth
