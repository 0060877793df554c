// SPDX-License-Identifier: BSD-3-Clause
// HTTP, SIP, syslog; the readable beginnings of TLS, QUIC and SSH.
#include "control/lab/generate_payload.h"

#include <algorithm>
#include <array>

namespace weir::lab::synth {
namespace {

constexpr std::array<std::string_view, 4> kAgents{
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 "
    "Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_1) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Safari/605.1.15",
    "curl/7.88.1"};

std::string sdp(const std::string& address) {
    const bool v6 = address.front() == '[';
    const std::string bare = v6 ? address.substr(1, address.size() - 2) : address;
    const std::string at = std::string(v6 ? "IN IP6 " : "IN IP4 ") + bare;
    return "v=0\r\no=- 1 1 " + at + "\r\ns=call\r\nc=" + at +
           "\r\nt=0 0\r\nm=audio 0 RTP/AVP 0 18 111\r\na=rtpmap:111 opus/48000/2\r\n";
}

std::string sip_headers(const SipDialog& d, std::string_view method, bool with_sdp, bool server) {
    std::string out = "Via: SIP/2.0/UDP " + d.client + ";branch=z9hG4bK" + d.tag +
                      std::to_string(d.sequence) + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + d.user +
                      "@example.com>;tag=" + d.tag + "\r\nTo: <sip:" + d.peer + "@example.com>";
    out += server ? ";tag=" + d.tag + "s" : "";
    out +=
        "\r\nCall-ID: " + d.call_id + "@example.com\r\nCSeq: " + std::to_string(d.sequence) + ' ';
    out += method;
    out += "\r\nContact: <sip:" + d.user + '@' + (server ? d.server : d.client) + ">\r\n";
    const std::string body = with_sdp ? sdp(server ? d.server : d.client) : "";
    out += with_sdp ? "Content-Type: application/sdp\r\n" : "";
    return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// RFC 4253, section 6: length, padding length, payload, padding to a multiple of 8.
std::string ssh_packet(std::string_view payload, Rng& rng) {
    const std::size_t short_of = 8 - (payload.size() + 5) % 8;
    const std::size_t padding = short_of < 4 ? short_of + 8 : short_of;
    return Packer()
        .u32(payload.size() + 1 + padding)
        .u8(padding)
        .text(payload)
        .noise(padding, rng)
        .take();
}

}  // namespace

std::string http_request(
    std::string_view method, std::string_view path, std::uint64_t body_bytes, Rng& rng) {
    std::string out(method);
    out += ' ';
    out += path;
    out += " HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: ";
    out += rng.pick(kAgents);
    out += "\r\nAccept: */*\r\nAccept-Language: en\r\nConnection: keep-alive\r\nCookie: id=" +
           token(16 + rng.below(48), rng) + "\r\n";
    if (body_bytes != 0) {
        out += "Content-Type: application/octet-stream\r\nContent-Length: " +
               std::to_string(body_bytes) + "\r\n";
    }
    return out + "\r\n";
}

std::string http_response(
    unsigned status, std::string_view reason, std::uint64_t body_bytes, Rng& rng) {
    std::string out = "HTTP/1.1 " + std::to_string(status) + ' ';
    out += reason;
    out += "\r\nServer: example\r\nCache-Control: no-store\r\nETag: \"" +
           token(8 + rng.below(24), rng) +
           "\"\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
           std::to_string(body_bytes) + "\r\n\r\n";
    return out;
}

std::string tls_client_hello(std::string_view host, Rng& rng) {
    constexpr std::size_t kHello = 512;  // of the record
    Packer body;
    body.u16(0x0303).noise(32, rng).u8(32).noise(32, rng);
    constexpr std::array<std::uint16_t, 9> kSuites{
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8};
    body.u16(kSuites.size() * 2);
    for (const auto suite : kSuites) {
        body.u16(suite);
    }
    body.u8(1).u8(0);
    Packer extensions;
    extensions.u16(0).u16(host.size() + 5).u16(host.size() + 3).u8(0).u16(host.size()).text(host);
    extensions.u16(0x000a).u16(6).u16(4).u16(0x001d).u16(0x0017);  // supported groups
    extensions.u16(0x000d).u16(8).u16(6).u16(0x0403).u16(0x0804).u16(
        0x0401);  // signature algorithms
    extensions.u16(0x0010).u16(14).u16(12).u8(2).text("h2").u8(8).text("http/1.1");
    extensions.u16(0x002b).u16(5).u8(4).u16(0x0304).u16(0x0303);  // supported versions
    extensions.u16(0x0033).u16(38).u16(36).u16(0x001d).u16(32).noise(32, rng);  // key share
    const std::size_t used = 4 + body.size() + 2 + extensions.size() + 4;
    const std::size_t padding = kHello - std::min(kHello, used);
    extensions.u16(0x0015).u16(padding);
    for (std::size_t i = 0; i < padding; ++i) {
        extensions.u8(0);
    }
    body.u16(extensions.size()).text(extensions.take());
    const std::string hello = body.take();
    return Packer()
        .u8(0x16)
        .u16(0x0301)
        .u16(hello.size() + 4)
        .u8(1)
        .u24(hello.size())
        .text(hello)
        .take();
}

std::string tls_server_hello(Rng& rng) {
    Packer body;
    body.u16(0x0303).noise(32, rng).u8(32).noise(32, rng).u16(0x1301).u8(0);
    body.u16(46);
    body.u16(0x002b).u16(2).u16(0x0304);
    body.u16(0x0033).u16(36).u16(0x001d).u16(32).noise(32, rng);
    const std::string hello = body.take();
    return Packer()
        .u8(0x16)
        .u16(0x0303)
        .u16(hello.size() + 4)
        .u8(2)
        .u24(hello.size())
        .text(hello)
        .text(tls_change_cipher_spec())
        .take();
}

std::string tls_change_cipher_spec() {
    return Packer().u8(0x14).u16(0x0303).u16(1).u8(1).take();
}

std::string quic_initial(std::size_t bytes, std::string_view connection_id, Rng& rng) {
    Packer out;
    out.u8(0xc0U | rng.below(4)).u32(0x1a2a3a4a);
    out.u8(connection_id.size()).text(connection_id).u8(0);
    out.u8(0);  // token length
    out.u16(0x4000U | (bytes - out.size() - 2));
    return out.noise(bytes - std::min(bytes, out.size()), rng).take();
}

std::string quic_short(std::size_t bytes, std::string_view connection_id, Rng& rng) {
    Packer out;
    out.u8(0x40U | rng.below(64)).text(connection_id);
    return out.noise(bytes - std::min(bytes, out.size()), rng).take();
}

std::string sip_request(const SipDialog& dialog, std::string_view method, bool with_sdp) {
    std::string out(method);
    out += " sip:" + dialog.peer + '@' + dialog.server + " SIP/2.0\r\n";
    return out + sip_headers(dialog, method, with_sdp, false);
}

std::string sip_response(
    const SipDialog& dialog,
    unsigned status,
    std::string_view reason,
    std::string_view method,
    bool with_sdp) {
    std::string out = "SIP/2.0 " + std::to_string(status) + ' ';
    out += reason;
    return out + "\r\n" + sip_headers(dialog, method, with_sdp, status > 100);
}

std::string syslog_line(Rng& rng) {
    constexpr std::array<std::string_view, 5> kLines{
        "link state changed to up",
        "accepted publickey for operator",
        "unit backup.timer started",
        "packet filter: rule 42 matched",
        "session closed"};
    const std::uint64_t facility = rng.between(1, 20);
    const std::uint64_t severity = rng.between(3, 6);
    std::string out = "<" + std::to_string(8 * facility + severity) + ">1 - host";
    out += std::to_string(rng.below(200));
    out += " daemon ";
    out += std::to_string(rng.between(100, 32000));
    out += " - - ";
    out += rng.pick(kLines);
    out += ' ';
    return out += token(rng.between(0, 120), rng);
}

std::string ssh_banner(bool server, Rng& rng) {
    return std::string("SSH-2.0-OpenSSH_") + (rng.chance(0.5) ? "9.2" : "8.9") +
           (server ? "p1 Debian-2+deb12u2\r\n" : "\r\n");
}

std::string ssh_kexinit(Rng& rng) {
    constexpr std::string_view kKex =
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
        "diffie-hellman-group16-sha512,diffie-hellman-group14-sha256";
    constexpr std::string_view kKeys = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256";
    constexpr std::string_view kCiphers =
        "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr";
    constexpr std::string_view kMacs =
        "umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
    constexpr std::string_view kNone = "none";
    Packer out;
    out.u8(20).noise(16, rng);
    for (const auto list : {kKex, kKeys, kCiphers, kCiphers, kMacs, kMacs, kNone, kNone}) {
        out.u32(list.size()).text(list);
    }
    out.u32(0).u32(0).u8(0).u32(0);  // languages, no guess follows, reserved
    return ssh_packet(out.take(), rng);
}

std::string ssh_kex_init(Rng& rng) {
    return ssh_packet(Packer().u8(30).u32(32).noise(32, rng).take(), rng);
}

std::string ssh_kex_reply(Rng& rng) {
    constexpr std::string_view kType = "ssh-ed25519";
    Packer out;
    out.u8(31).u32(51).u32(kType.size()).text(kType).u32(32).noise(32, rng);
    out.u32(32).noise(32, rng);
    out.u32(83).u32(kType.size()).text(kType).u32(64).noise(64, rng);
    std::string reply = ssh_packet(out.take(), rng);
    return reply.append(ssh_newkeys(rng));
}

std::string ssh_newkeys(Rng& rng) {
    return ssh_packet(std::string_view("\x15", 1), rng);
}

}  // namespace weir::lab::synth
