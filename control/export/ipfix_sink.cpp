// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/ipfix_sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netdb.h>
#include <poll.h>
#include <unistd.h>

namespace weir::control {

namespace {

constexpr std::size_t kMostAtOnce = 256;

/// True once `fd` takes more; false if it does not by `give_up`.
bool wait_writable(int fd, IpfixSink::Clock::time_point give_up) {
    const auto left = give_up - IpfixSink::Clock::now();
    if (left <= IpfixSink::Clock::duration::zero()) {
        return false;
    }
    pollfd wait{fd, POLLOUT, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
    return ::poll(&wait, 1, static_cast<int>(ms) + 1) > 0;
}

}  // namespace

Result<std::unique_ptr<IpfixSink>> IpfixSink::open(const config::Ipfix& ipfix, std::size_t slots) {
    std::unique_ptr<IpfixSink> sink(new IpfixSink(
        ipfix, IpfixEncoder({ipfix.domain, ipfix.enterprise, slots, ipfix.message_bytes})));
    const auto colon = ipfix.collector.rfind(':');
    std::string host = ipfix.collector.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const std::string port = colon == std::string::npos ? "" : ipfix.collector.substr(colon + 1);
    if (port.empty() || ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
        return fail(
            {},
            "export.ipfix.collector",
            "'" + ipfix.collector + "' is no address:port",
            "write numbers, such as 192.0.2.9:4739");
    }
    std::memcpy(&sink->address_, found->ai_addr, found->ai_addrlen);
    sink->address_bytes_ = found->ai_addrlen;
    ::freeaddrinfo(found);
    return sink;
}

IpfixSink::~IpfixSink() {
    close();
}

void IpfixSink::close() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    fd_ = -1;
}

void IpfixSink::reopen() {
    close();
    retry_ = {};
}

bool IpfixSink::connect_socket() {
    const bool tcp = ipfix_.transport == config::IpfixTransport::tcp;
    fd_ = ::socket(
        address_.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) {
        return false;
    }
    const auto* address = reinterpret_cast<const sockaddr*>(&address_);
    int error = ::connect(fd_, address, address_bytes_) == 0 ? 0 : errno;
    if (error == EINPROGRESS && wait_writable(fd_, Clock::now() + kPatience)) {
        socklen_t size = sizeof(error);
        (void)::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) {
        close();
    }
    return error == 0;
}

bool IpfixSink::ready(std::uint32_t unix_s, Clock::time_point now) {
    const bool begun = fd_ < 0;
    if (begun) {
        if (now < retry_) {
            return false;
        }
        retry_ = now + kRetry;
        if (!connect_socket()) {
            return false;
        }
        encoder_.restart();
    }
    const bool udp = ipfix_.transport == config::IpfixTransport::udp;
    if (begun || (udp && now - templates_ >= std::chrono::seconds(ipfix_.template_s))) {
        templates_ = now;
        for (const std::string& message : encoder_.templates(unix_s)) {
            if (!send(message)) {
                close();
                return false;
            }
        }
    }
    return true;
}

bool IpfixSink::send(std::string_view message) {
    const bool tcp = ipfix_.transport == config::IpfixTransport::tcp;
    const auto give_up = Clock::now() + kPatience;
    std::size_t done = 0;
    bool told = false;
    while (done < message.size()) {
        const ssize_t n = ::send(fd_, message.data() + done, message.size() - done, MSG_NOSIGNAL);
        if (n >= 0) {
            done += static_cast<std::size_t>(n);
        } else if (!tcp && errno == ECONNREFUSED && !told) {
            told = true;  // of a datagram before, which nobody took
        } else if (errno != EINTR && (errno != EAGAIN || !wait_writable(fd_, give_up))) {
            return false;
        }
    }
    return true;
}

std::size_t IpfixSink::write(
    std::span<const FlowEvent> events, std::uint32_t unix_s, Clock::time_point now) {
    std::size_t sent = 0;
    while (!events.empty()) {
        const auto some = events.first(std::min(events.size(), kMostAtOnce));
        events = events.subspan(some.size());
        if (!ready(unix_s, now)) {
            continue;
        }
        bool whole = true;
        for (const std::string& message : encoder_.records(some, unix_s)) {
            whole = whole && send(message);
        }
        if (whole) {
            sent += some.size();
        } else {
            close();  // TCP: half a message ends the session
        }
    }
    return sent;
}

}  // namespace weir::control
