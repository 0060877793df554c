// SPDX-License-Identifier: BSD-3-Clause
// Protocols whose messages begin with words.
#include "dataplane/features/payload_kind.h"

#include <array>

namespace weir::dataplane {

namespace {

struct Opening {
    std::string_view words;
    PayloadKind kind;
};

// The first that fits counts.
constexpr auto kOpenings = std::to_array<Opening>({
    {"GET ", PayloadKind::http_get},
    {"POST ", PayloadKind::http_post},
    {"HTTP/", PayloadKind::http_response},
    {"HEAD ", PayloadKind::http_other},
    {"PUT ", PayloadKind::http_other},
    {"DELETE ", PayloadKind::http_other},
    {"PATCH ", PayloadKind::http_other},
    {"PROPFIND ", PayloadKind::http_other},
    {"TRACE ", PayloadKind::http_other},
    {"CONNECT ", PayloadKind::http_connect},
    {"PRI * HTTP/2", PayloadKind::http2},
    {"M-SEARCH ", PayloadKind::ssdp},
    {"NOTIFY * HTTP", PayloadKind::ssdp},
    // RFC 3261, 7
    {"SIP/2.0 ", PayloadKind::sip_response},
    {"INVITE ", PayloadKind::sip_request},
    {"REGISTER ", PayloadKind::sip_request},
    {"ACK ", PayloadKind::sip_request},
    {"BYE ", PayloadKind::sip_request},
    {"CANCEL ", PayloadKind::sip_request},
    {"OPTIONS sip", PayloadKind::sip_request},
    {"SUBSCRIBE ", PayloadKind::sip_request},
    {"NOTIFY sip", PayloadKind::sip_request},
    {"PUBLISH ", PayloadKind::sip_request},
    {"INFO sip", PayloadKind::sip_request},
    {"MESSAGE sip", PayloadKind::sip_request},
    {"REFER ", PayloadKind::sip_request},
    {"PRACK ", PayloadKind::sip_request},
    {"UPDATE sip", PayloadKind::sip_request},
    // RFC 2326, 6
    {"RTSP/", PayloadKind::rtsp},
    {"DESCRIBE ", PayloadKind::rtsp},
    {"SETUP ", PayloadKind::rtsp},
    {"PLAY ", PayloadKind::rtsp},
    {"ANNOUNCE ", PayloadKind::rtsp},
    {"OPTIONS rtsp", PayloadKind::rtsp},
    {"OPTIONS ", PayloadKind::http_other},
    {"ICY 200", PayloadKind::http_media},
    {"#EXTM3U", PayloadKind::playlist},
    // RFC 3435, 2.1; RFC 3525, annex B
    {"AUEP ", PayloadKind::mgcp},
    {"AUCX ", PayloadKind::mgcp},
    {"CRCX ", PayloadKind::mgcp},
    {"DLCX ", PayloadKind::mgcp},
    {"EPCF ", PayloadKind::mgcp},
    {"MDCX ", PayloadKind::mgcp},
    {"NTFY ", PayloadKind::mgcp},
    {"RQNT ", PayloadKind::mgcp},
    {"RSIP ", PayloadKind::mgcp},
    {"MEGACO/", PayloadKind::megaco},
    {"!/", PayloadKind::megaco},
    {"SSH-", PayloadKind::ssh},
    {"RFB ", PayloadKind::rfb},
    {"NXSH-", PayloadKind::remote_desktop},
    {"NXD-", PayloadKind::remote_desktop},
    {"\x7f\x7fICA", PayloadKind::ica},
    {"HELF", PayloadKind::opc_ua},
    {"OPNF", PayloadKind::opc_ua},
    {"AMQP", PayloadKind::amqp},
    {"ZBXD", PayloadKind::monitoring},
    {"# munin", PayloadKind::monitoring},
    // RFC 5321; RFC 959; RFC 1939; RFC 9051
    {"EHLO ", PayloadKind::smtp},
    {"HELO ", PayloadKind::smtp},
    {"MAIL FROM:", PayloadKind::smtp},
    {"* OK", PayloadKind::imap},
    {"* PREAUTH", PayloadKind::imap},
    {"+OK", PayloadKind::pop3},
    {"-ERR", PayloadKind::pop3},
    {"AUTH TLS", PayloadKind::ftp},
    {"USER ", PayloadKind::ftp},
    {"230 ", PayloadKind::ftp},
    {"331 ", PayloadKind::ftp},
    {"530 ", PayloadKind::ftp},
    {"@RSYNCD:", PayloadKind::rsync},
    {"GNUTELLA", PayloadKind::gnutella},
    {"GND\x02", PayloadKind::gnutella},
    {"\x13"
     "BitTorrent protocol",
     PayloadKind::bittorrent},
    // BEP 5: bencoded dictionaries with sorted keys
    {"d1:ad2:id20:", PayloadKind::bittorrent_dht},
    {"d1:rd2:id20:", PayloadKind::bittorrent_dht},
    {"d2:ip", PayloadKind::bittorrent_dht},
    {"d1:el", PayloadKind::bittorrent_dht},
    {"BT-SEARCH * HTTP", PayloadKind::bittorrent_dht},
    {"VS01", PayloadKind::steam},
    {"{\"id\":", PayloadKind::json_rpc},
    {"{\"jsonrpc\"", PayloadKind::json_rpc},
    {"{\"method\"", PayloadKind::json_rpc},
    {"{\"params\"", PayloadKind::json_rpc},
    {"<?xml version='1.0'?><stream", PayloadKind::chat},
    {"<stream:stream", PayloadKind::chat},
    {"NICK ", PayloadKind::chat},
    {"JOIN ", PayloadKind::chat},
    {"PRIVMSG ", PayloadKind::chat},
    {"VER ", PayloadKind::chat},
});

[[nodiscard]] std::uint8_t lower(std::uint8_t byte) noexcept {
    return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte + ('a' - 'A')) : byte;
}

// Does `word`, in lower case, stand at `i` in any case?
[[nodiscard]] bool has_word(
    const PayloadView& payload, std::uint32_t i, std::string_view word) noexcept {
    for (std::uint32_t k = 0; k < word.size(); ++k) {
        if (i + k >= payload.readable ||
            lower(payload.data[i + k]) != static_cast<std::uint8_t>(word[k])) {
            return false;
        }
    }
    return true;
}

// Where the value of the header field `name` ("\nname:" in lower case) begins; 0: there is none within what is read.
[[nodiscard]] std::uint32_t field_value(
    const PayloadView& payload, std::string_view name) noexcept {
    for (std::uint32_t i = 0; i + name.size() < payload.readable; ++i) {
        if (payload.data[i] == '\n' && has_word(payload, i, name)) {
            const std::uint32_t value = i + static_cast<std::uint32_t>(name.size());
            return payload.u8(value) == ' ' ? value + 1 : value;
        }
    }
    return 0;
}

// By the media type that a response declares (RFC 9110, 8.3).
[[nodiscard]] PayloadKind response_kind(const PayloadView& payload) noexcept {
    constexpr auto kTypes = std::to_array<Opening>({
        {"video/", PayloadKind::http_media},
        {"audio/", PayloadKind::http_media},
        {"application/vnd.apple.mpegurl", PayloadKind::http_media},
        {"application/x-mpegurl", PayloadKind::http_media},
        {"application/dash+xml", PayloadKind::http_media},
        {"image/", PayloadKind::http_image},
        {"text/", PayloadKind::http_text},
        {"application/json", PayloadKind::http_text},
        {"application/javascript", PayloadKind::http_text},
        {"application/x-javascript", PayloadKind::http_text},
        {"application/ocsp", PayloadKind::http_text},
        {"application/", PayloadKind::http_file},
        {"binary/", PayloadKind::http_file},
    });
    const std::uint32_t value = field_value(payload, "\ncontent-type:");
    if (value != 0) {
        for (const Opening& type : kTypes) {
            if (has_word(payload, value, type.words)) {
                return type.kind;
            }
        }
    }
    return PayloadKind::http_response;
}

// By what the path ends in, and whether a part of something is asked for.
[[nodiscard]] PayloadKind get_kind(const PayloadView& payload) noexcept {
    constexpr std::array<std::string_view, 12> kSuffixes{
        ".mp4",
        ".m4s",
        ".m4v",
        ".m4a",
        ".ts",
        ".flv",
        ".mp3",
        ".m3u8",
        ".mpd",
        ".webm",
        ".aac",
        ".f4v"};
    std::uint32_t end = 4;
    std::uint32_t dot = 0;
    for (; end < payload.readable && payload.data[end] > ' ' && payload.data[end] != '?'; ++end) {
        dot = payload.data[end] == '.' ? end : dot;
    }
    for (const std::string_view suffix : kSuffixes) {
        if (dot != 0 && end - dot == suffix.size() && has_word(payload, dot, suffix)) {
            return PayloadKind::http_media_request;
        }
    }
    return field_value(payload, "\nrange:") != 0 ? PayloadKind::http_range : PayloadKind::http_get;
}

// RFC 5424, 6.2.1: "<", one to three digits, ">".
[[nodiscard]] bool is_syslog(const PayloadView& payload) noexcept {
    if (payload.u8(0) != '<') {
        return false;
    }
    std::uint32_t i = 1;
    while (i < 4 && payload.u8(i) >= '0' && payload.u8(i) <= '9') {
        ++i;
    }
    return i > 1 && payload.u8(i) == '>';
}

// "220 " opens both mail and file service: the words after it tell (RFC 5321, 4.2; RFC 959, 5.4).
[[nodiscard]] PayloadKind greeting_kind(const PayloadView& payload) noexcept {
    for (std::uint32_t i = 4; i < payload.readable && i < 128; ++i) {
        if (has_word(payload, i, "smtp") || has_word(payload, i, "mail")) {
            return PayloadKind::smtp;
        }
    }
    return PayloadKind::ftp;
}

// "a1 LOGIN", "A01 CAPABILITY" …: a tag, a space, a command (RFC 9051, 2.2.1).
[[nodiscard]] bool is_imap_command(const PayloadView& payload) noexcept {
    std::uint32_t i = 0;
    while (i < 8 && payload.u8(i) > ' ' && payload.u8(i) < 0x7f) {
        ++i;
    }
    return i > 0 && payload.u8(i) == ' ' &&
           (has_word(payload, i + 1, "login ") || has_word(payload, i + 1, "capability"));
}

}  // namespace

PayloadKind recognise_text(const PayloadView& payload, bool udp) noexcept {
    for (const Opening& opening : kOpenings) {
        if (payload.u8(0) != static_cast<std::uint8_t>(opening.words[0]) ||
            !payload.has(0, opening.words)) {
            continue;
        }
        switch (opening.kind) {
            case PayloadKind::http_get:
                return get_kind(payload);
            case PayloadKind::http_response:
                return udp ? PayloadKind::ssdp : response_kind(payload);
            default:
                return opening.kind;
        }
    }
    if (is_syslog(payload)) {
        return PayloadKind::syslog;
    }
    if (udp) {
        return PayloadKind::none;
    }
    if (payload.has(0, "220 ") || payload.has(0, "220-")) {
        return greeting_kind(payload);
    }
    return is_imap_command(payload) ? PayloadKind::imap : PayloadKind::none;
}

}  // namespace weir::dataplane
