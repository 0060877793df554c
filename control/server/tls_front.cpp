// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/tls_front.h"

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

constexpr std::size_t kBuffer = 16384;
constexpr int kRounds =
    16;  ///< of one connection's turn, so that it cannot keep the others waiting

class Fd {
  public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    ~Fd() { reset(); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    void reset(int fd = -1) {
        if (fd_ >= 0) {
            (void)::close(fd_);
        }
        fd_ = fd;
    }

  private:
    int fd_;
};

struct SslFree {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

/// Bytes on their way in one direction.
struct Pipe {
    std::array<char, kBuffer> bytes;
    std::size_t from = 0;
    std::size_t to = 0;
    bool over = false;  ///< its source ended
    [[nodiscard]] bool empty() const { return from == to; }
};

struct Connection {
    std::unique_ptr<SSL, SslFree> ssl;
    Fd tcp;
    Fd plain;  ///< our end of the pair whose other end gRPC has
    bool established = false;
    Clock::time_point until;  ///< of the handshake
    Pipe in;                  ///< client → gRPC
    Pipe out;                 ///< gRPC → client
};

enum class Step : std::uint8_t { moved, waits, over };

Step ssl_step(SSL* ssl, int result) {
    switch (SSL_get_error(ssl, result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return Step::waits;
        default:
            ERR_clear_error();
            return Step::over;
    }
}

Step fill_from_ssl(Connection& c) {
    const int n = SSL_read(c.ssl.get(), c.in.bytes.data(), kBuffer);
    if (n <= 0) {
        const Step step = ssl_step(c.ssl.get(), n);
        c.in.over = step == Step::over;
        return step;
    }
    c.in.from = 0;
    c.in.to = static_cast<std::size_t>(n);
    return Step::moved;
}

Step fill_from_plain(Connection& c) {
    const ssize_t n = ::recv(c.plain.get(), c.out.bytes.data(), kBuffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return Step::waits;
    }
    if (n <= 0) {
        c.out.over = true;
        return Step::over;
    }
    c.out.from = 0;
    c.out.to = static_cast<std::size_t>(n);
    return Step::moved;
}

Step drain_to_plain(Connection& c) {
    const ssize_t n = ::send(
        c.plain.get(),
        c.in.bytes.data() + c.in.from,
        c.in.to - c.in.from,
        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? Step::waits : Step::over;
    }
    c.in.from += static_cast<std::size_t>(n);
    return Step::moved;
}

Step drain_to_ssl(Connection& c) {
    const int n = SSL_write(
        c.ssl.get(), c.out.bytes.data() + c.out.from, static_cast<int>(c.out.to - c.out.from));
    if (n <= 0) {
        return ssl_step(c.ssl.get(), n);
    }
    c.out.from += static_cast<std::size_t>(n);
    return Step::moved;
}

/// Moves bytes both ways until neither way has any to move, or the turn is over (moved).
Step pump(Connection& c) {
    for (int round = 0; round < kRounds; ++round) {
        const Step in =
            c.in.empty() ? (c.in.over ? Step::waits : fill_from_ssl(c)) : drain_to_plain(c);
        const Step out =
            c.out.empty() ? (c.out.over ? Step::waits : fill_from_plain(c)) : drain_to_ssl(c);
        const bool client_gone = c.in.over && c.in.empty();
        const bool server_gone = c.out.over && c.out.empty();
        if (client_gone || server_gone || (in == Step::over && !c.in.over) ||
            (out == Step::over && !c.out.over)) {
            return Step::over;
        }
        if (in != Step::moved && out != Step::moved) {
            return Step::waits;
        }
    }
    return Step::moved;
}

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
    [[nodiscard]] bool serve(Connection& c);
    [[nodiscard]] bool shake_hands(Connection& c);
    [[nodiscard]] bool hand_on(Connection& c);
    void watch(int fd, void* tag) const;
    void drop_late();

    TlsContext context;
    Adopt adopt;
    Fd door;
    Fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    Fd poll{::epoll_create1(EPOLL_CLOEXEC)};
    std::atomic<bool> stopping{false};
    std::atomic<bool> closed{false};
    std::list<Connection> connections;  ///< the oldest first
    std::vector<Connection*> again;     ///< whose turn was not over
    std::thread thread;
};

void TlsFront::Impl::watch(int fd, void* tag) const {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = tag;
    (void)::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event);
}

void TlsFront::Impl::add(int fd) {
    if (const auto fresh = context.refresh(); !fresh) {
        spdlog::error("control over TLS: {}; going on with the last ones", fresh.error().line());
    }
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

bool TlsFront::Impl::hand_on(Connection& c) {
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

bool TlsFront::Impl::shake_hands(Connection& c) {
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

bool TlsFront::Impl::serve(Connection& c) {
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
    connections.remove_if([&](const Connection& c) { return !c.established && now >= c.until; });
}

void TlsFront::Impl::run() {
    pthread_setname_np(pthread_self(), "weir-tls");
    std::array<epoll_event, 64> events{};
    while (!stopping) {
        const int n = ::epoll_wait(
            poll.get(), events.data(), static_cast<int>(events.size()), again.empty() ? 1000 : 0);
        std::vector<Connection*> turn = std::exchange(again, {});
        for (int i = 0; i < n; ++i) {
            void* tag = events[static_cast<std::size_t>(i)].data.ptr;
            if (tag == &door) {
                accept_all();
            } else if (tag != &wake) {
                turn.push_back(static_cast<Connection*>(tag));
            }
        }
        std::sort(turn.begin(), turn.end());
        turn.erase(std::unique(turn.begin(), turn.end()), turn.end());
        for (Connection* c : turn) {
            // accept_all() may have dropped the oldest handshake since.
            const auto at = std::find_if(
                connections.begin(), connections.end(), [&](const auto& one) { return &one == c; });
            if (at != connections.end() && !serve(*at)) {
                std::erase(again, c);
                connections.erase(at);
            }
        }
        drop_late();
        std::erase_if(again, [this](const Connection* c) {
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
