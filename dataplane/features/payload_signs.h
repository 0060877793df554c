// SPDX-License-Identifier: BSD-3-Clause
// Signs that several transports' tests share. Private to payload_kind*.cpp and payload.cpp.
#pragma once

#include "dataplane/features/payload_kind.h"

#include <cstdint>

namespace weir::dataplane {

/// A DNS name at `at`, which moves behind it (RFC 1035, 3.1, 4.1.4). Pointers are not followed.
[[nodiscard]] bool is_dns_name(const PayloadView& payload, std::uint32_t& at) noexcept;
/// A DNS message whose first name can be read: RFC 1035, 4.1; RFC 6762; RFC 4795.
[[nodiscard]] bool is_dns(const PayloadView& payload) noexcept;
/// The whole payload is one BER element with that tag; `content`: where its value begins (X.690, 8.1).
[[nodiscard]] bool is_ber(
    const PayloadView& payload, std::uint32_t tag, std::uint32_t& content) noexcept;

/// A hard reset of OpenVPN's control channel: an opcode, a session; at the end an empty list of acknowledgements (the
/// client's) and packet number 0.
[[nodiscard]] bool is_openvpn_reset(const PayloadView& payload) noexcept;
/// RFC 8855, 5.1: a version, a primitive, the length in words of four bytes.
[[nodiscard]] bool is_bfcp(const PayloadView& payload) noexcept;

[[nodiscard]] PayloadKind recognise_ber(const PayloadView& payload) noexcept;
[[nodiscard]] PayloadKind recognise_stun(const PayloadView& payload) noexcept;

}  // namespace weir::dataplane
