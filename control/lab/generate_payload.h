// SPDX-License-Identifier: BSD-3-Clause
// What applications say: messages that dissectors accept, with noise where the real ones would be encrypted.
#pragma once

#include "control/lab/generate_random.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::lab::synth {

/// Appends big-endian fields.
class Packer {
  public:
    Packer& u8(std::uint64_t value) {
        out_.push_back(static_cast<char>(value & 0xffU));
        return *this;
    }
    Packer& u16(std::uint64_t value) { return u8(value >> 8U).u8(value); }
    Packer& u24(std::uint64_t value) { return u8(value >> 16U).u16(value); }
    Packer& u32(std::uint64_t value) { return u16(value >> 16U).u16(value); }
    Packer& text(std::string_view value) {
        out_.append(value);
        return *this;
    }
    Packer& noise(std::size_t bytes, Rng& rng);
    [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    std::string out_;
};

[[nodiscard]] std::string noise(std::size_t bytes, Rng& rng);
/// `length` characters of lower-case letters and digits, as in host names and tokens.
[[nodiscard]] std::string token(std::size_t length, Rng& rng);

// ---- DNS (RFC 1035), with EDNS0 (RFC 6891) padded (RFC 7830) ---------------------------------------------------------
enum class DnsType : std::uint16_t { a = 1, txt = 16, aaaa = 28, any = 255 };
[[nodiscard]] std::string dns_query(
    std::uint16_t id, std::string_view name, DnsType type, std::size_t padding = 0);
/// Answers of `type` until the message has about `bytes` bytes, at least one.
[[nodiscard]] std::string dns_answer(
    std::uint16_t id, std::string_view name, DnsType type, std::size_t bytes, Rng& rng);

// ---- management -----------------------------------------------------------------------------------------------------
/// SNMPv2c (RFC 3416): get of `count` counters, or the response to it. Community "public".
[[nodiscard]] std::string snmp_get(std::uint32_t id, std::size_t count);
[[nodiscard]] std::string snmp_response(std::uint32_t id, std::size_t count, Rng& rng);
/// NTPv4 (RFC 5905): mode 3 asks, 4 answers. `now` since `epoch_s`, Unix seconds.
[[nodiscard]] std::string ntp(unsigned mode, std::uint64_t epoch_s, Nanos now, Rng& rng);
/// NTP mode 7 monlist answer with `items` of 72 bytes.
[[nodiscard]] std::string ntp_monlist(unsigned sequence, std::size_t items, Rng& rng);
/// RFC 5424
[[nodiscard]] std::string syslog_line(Rng& rng);

// ---- voice, video ---------------------------------------------------------------------------------------------------
/// RFC 3550
[[nodiscard]] std::string rtp(
    unsigned payload_type,
    bool marker,
    std::uint16_t sequence,
    std::uint32_t timestamp,
    std::uint32_t ssrc,
    std::string_view media);
/// Sender report with one report block and a CNAME.
[[nodiscard]] std::string rtcp_report(std::uint32_t ssrc, std::uint32_t peer, Rng& rng);
/// `packets` transport stream packets (ISO 13818-1) of one video PID.
[[nodiscard]] std::string transport_stream(std::size_t packets, std::uint32_t& counter, Rng& rng);

/// One SIP dialog's texts (RFC 3261).
struct SipDialog {
    std::string client;  ///< addresses as text; IPv6 in brackets
    std::string server;
    std::string user;
    std::string peer;
    std::string call_id;
    std::string tag;
    unsigned sequence = 1;
};
[[nodiscard]] std::string sip_request(
    const SipDialog& dialog, std::string_view method, bool with_sdp);
[[nodiscard]] std::string sip_response(
    const SipDialog& dialog,
    unsigned status,
    std::string_view reason,
    std::string_view method,
    bool with_sdp);

// ---- web ------------------------------------------------------------------------------------------------------------
/// Heads of HTTP/1.1 messages, blank line included.
[[nodiscard]] std::string http_request(
    std::string_view method, std::string_view path, std::uint64_t body_bytes, Rng& rng);
[[nodiscard]] std::string http_response(
    unsigned status, std::string_view reason, std::uint64_t body_bytes, Rng& rng);
/// TLS 1.3 as it looks from outside (RFC 8446, appendix D.4): the client's hello, 517 bytes as browsers pad it; the
/// server's hello and change_cipher_spec.
[[nodiscard]] std::string tls_client_hello(std::string_view host, Rng& rng);
[[nodiscard]] std::string tls_server_hello(Rng& rng);
/// The client's change_cipher_spec.
[[nodiscard]] std::string tls_change_cipher_spec();
/// QUIC (RFC 9000) of a version reserved for greasing: `bytes` in all, at least 50.
[[nodiscard]] std::string quic_initial(std::size_t bytes, std::string_view connection_id, Rng& rng);
[[nodiscard]] std::string quic_short(std::size_t bytes, std::string_view connection_id, Rng& rng);

// ---- SSH (RFC 4253) -------------------------------------------------------------------------------------------------
[[nodiscard]] std::string ssh_banner(bool server, Rng& rng);
[[nodiscard]] std::string ssh_kexinit(Rng& rng);
[[nodiscard]] std::string ssh_kex_init(Rng& rng);
/// The answer and the server's NEWKEYS.
[[nodiscard]] std::string ssh_kex_reply(Rng& rng);
[[nodiscard]] std::string ssh_newkeys(Rng& rng);

}  // namespace weir::lab::synth
