// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/tls_front.h"

#include "control/server/tls_connection.h"
#include "control/server/tls_context.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace weir::control {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kLook = std::chrono::seconds(1);  ///< how often files are looked at, at least

Result<int> listen_on(const std::string& address) {
    const auto colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = address.substr(colon + 1);
    if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
        return fail(address, "control.tls.listen", ::gai_strerror(error), "write 0.0.0.0:9443");
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> info(found, ::freeaddrinfo);
    const int fd =
        ::socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    const int one = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || ::bind(fd, info->ai_addr, info->ai_addrlen) != 0 || ::listen(fd, 256) != 0) {
        const std::string why = std::strerror(errno);
        (void)::close(fd);
        return fail(address, "control.tls.listen", "cannot listen: " + why, "choose another");
    }
    return fd;
}

}  // namespace

struct TlsFront::Impl {
    Impl(const config::ControlTls& config, Adopt take) : context(config), adopt(std::move(take)) {}

    void run();
    void accept_all();
    void add(int fd);
    /// False: it is over.
    [[nodiscard]] bool serve(TlsConnection& c);
    [[nodiscard]] bool shake_hands(TlsConnection& c);
    [[nodiscard]] bool hand_on(TlsConnection& c);
    void watch(int fd, void* tag) const;
    void drop_late();
    void refresh();

    TlsContext context;
    Adopt adopt;
    Fd door;
    Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    Fd poll{::epoll_create1(EPOLL_CLOEXEC)};
    std::atomic<bool> stopping{false};
    std::atomic<bool> closed{false};
    std::list<TlsConnection> connections;     ///< the oldest first
    std::vector<TlsConnection*> again;        ///< whose turn was not over
    Clock::time_point looked = Clock::now();  ///< at the files
    std::thread thread;
};

void TlsFront::Impl::watch(int fd, void* tag) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = tag;
    (void)::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event);
}

/// New files hold for everybody: who would not be let in any more is cut off.
void TlsFront::Impl::refresh() {
    looked = Clock::now();
    const auto changed = context.refresh();
    if (!changed) {
        spdlog::error("control over TLS: {}; going on with the last ones", changed.error().line());
        return;
    }
    if (!*changed) {
        return;
    }
    connections.remove_if([this](const TlsConnection& c) {
        const bool out = c.established && !context.trusts(*c.ssl);
        if (out) {
            spdlog::warn("control over TLS: a client is trusted no more: cut off");
        }
        return out;
    });
}

void TlsFront::Impl::add(int fd) {
    refresh();
    const auto shaking = static_cast<std::size_t>(std::count_if(
        connections.begin(), connections.end(), [](const auto& c) { return !c.established; }));
    const auto oldest = std::find_if(
        connections.begin(), connections.end(), [](const auto& c) { return !c.established; });
    if (shaking >= kMaxHandshakes && oldest != connections.end()) {
        connections.erase(oldest);
    }
    SSL* ssl = connections.size() < kMaxConnections ? SSL_new(context.get()) : nullptr;
    if (ssl == nullptr) {
        (void)::close(fd);
        return;
    }
    auto& c = connections.emplace_back();
    c.ssl.reset(ssl);
    c.tcp.reset(fd);
    c.until = Clock::now() + kHandshake;
    SSL_set_fd(ssl, fd);
    watch(fd, &c);
    again.push_back(&c);
}

void TlsFront::Impl::accept_all() {
    while (!closed) {
        const int fd = ::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        add(fd);
    }
}

bool TlsFront::Impl::hand_on(TlsConnection& c) {
    Actor actor{.via = "tls", .uid = {}, .gid = {}, .pid = {}, .sans = peer_names(*c.ssl)};
    std::array<int, 2> pair{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0) {
        return false;
    }
    c.plain.reset(pair[0]);
    if (!adopt(pair[1], std::move(actor))) {
        return false;
    }
    c.established = true;
    watch(c.plain.get(), &c);
    return true;
}

bool TlsFront::Impl::shake_hands(TlsConnection& c) {
    const int result = SSL_accept(c.ssl.get());
    if (result == 1) {
        return hand_on(c);
    }
    if (ssl_step(c.ssl.get(), result) == Step::waits) {
        return true;
    }
    spdlog::info("control over TLS: a handshake failed");
    return false;
}

bool TlsFront::Impl::serve(TlsConnection& c) {
    if (!c.established && !shake_hands(c)) {
        return false;
    }
    if (!c.established) {
        return true;
    }
    const Step step = pump(c);
    if (step == Step::moved) {
        again.push_back(&c);
    }
    return step != Step::over;
}

void TlsFront::Impl::drop_late() {
    const auto now = Clock::now();
    connections.remove_if([&](const TlsConnection& c) { return !c.established && now >= c.until; });
}

void TlsFront::Impl::run() {
    pthread_setname_np(pthread_self(), "weir-tls");
    std::array<epoll_event, 64> events{};
    while (!stopping) {
        const int n = ::epoll_wait(
            poll.get(), events.data(), static_cast<int>(events.size()), again.empty() ? 1000 : 0);
        std::vector<TlsConnection*> turn = std::exchange(again, {});
        for (int i = 0; i < n; ++i) {
            void* tag = events[static_cast<std::size_t>(i)].data.ptr;
            if (tag == &door) {
                accept_all();
            } else if (tag != &wake) {
                turn.push_back(static_cast<TlsConnection*>(tag));
            }
        }
        std::sort(turn.begin(), turn.end());
        turn.erase(std::unique(turn.begin(), turn.end()), turn.end());
        for (TlsConnection* c : turn) {
            // accept_all() may have dropped the oldest handshake since.
            const auto at = std::find_if(
                connections.begin(), connections.end(), [&](const auto& one) { return &one == c; });
            if (at != connections.end() && !serve(*at)) {
                std::erase(again, c);
                connections.erase(at);
            }
        }
        drop_late();
        if (Clock::now() - looked >= kLook) {
            refresh();
        }
        std::erase_if(again, [this](const TlsConnection* c) {
            return std::none_of(
                connections.begin(), connections.end(), [&](const auto& one) { return &one == c; });
        });
    }
    connections.clear();
}

TlsFront::TlsFront(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<TlsFront>> TlsFront::start(const config::ControlTls& config, Adopt adopt) {
    auto impl = std::make_unique<Impl>(config, std::move(adopt));
    if (auto loaded = impl->context.refresh(); !loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    auto door = listen_on(config.listen);
    if (!door) {
        return tl::unexpected(std::move(door.error()));
    }
    impl->door.reset(*door);
    impl->watch(impl->door.get(), &impl->door);
    impl->watch(impl->wake.get(), &impl->wake);
    // OpenSSL writes with write(): a client that is gone must not end the process.
    (void)std::signal(SIGPIPE, SIG_IGN);
    impl->thread = std::thread([raw = impl.get()] { raw->run(); });
    return std::unique_ptr<TlsFront>(new TlsFront(std::move(impl)));
}

void TlsFront::close_door() {
    impl_->closed = true;
}

std::uint16_t TlsFront::port() const noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(impl_->door.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return 0;
    }
    return ntohs(
        address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                      : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

TlsFront::~TlsFront() {
    impl_->stopping = true;
    const std::uint64_t one = 1;
    (void)!::write(impl_->wake.get(), &one, sizeof(one));
    impl_->thread.join();
}

}  // namespace weir::control
