// SPDX-License-Identifier: BSD-3-Clause
// The TLS door: 1.3 only, known clients only, new certificates without a restart, and nobody holds up anybody.
#include "control/server/tls_front.h"
#include "tls_fixture.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <sys/socket.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

struct SslFree {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        (void)::close(fd);
        return -1;
    }
    return fd;
}

/// A blocking TLS client.
class TlsClient {
  public:
    TlsClient(std::uint16_t port, const std::string& stem, const std::string& ca, int version = 0)
        : context_(SSL_CTX_new(TLS_client_method())), fd_(connect_to(port)) {
        if (!stem.empty()) {
            SSL_CTX_use_certificate_chain_file(context_.get(), (stem + ".pem").c_str());
            SSL_CTX_use_PrivateKey_file(context_.get(), (stem + ".key").c_str(), SSL_FILETYPE_PEM);
        }
        SSL_CTX_load_verify_file(context_.get(), ca.c_str());
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_max_proto_version(context_.get(), version);
        ssl_.reset(SSL_new(context_.get()));
        constexpr unsigned char kH2[] = {2, 'h', '2'};
        SSL_set_alpn_protos(ssl_.get(), kH2, sizeof(kH2));
        SSL_set_fd(ssl_.get(), fd_);
        connected_ = fd_ >= 0 && SSL_connect(ssl_.get()) == 1;
    }
    ~TlsClient() {
        ssl_.reset();
        if (fd_ >= 0) {
            (void)::close(fd_);
        }
    }
    TlsClient(const TlsClient&) = delete;
    TlsClient& operator=(const TlsClient&) = delete;

    /// What the far end echoes; empty if it is gone. In TLS 1.3 a refused certificate shows at the first read.
    std::string echo(const std::string& text) {
        if (!connected_ || SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) <= 0) {
            return {};
        }
        std::string back(text.size(), '\0');
        std::size_t got = 0;
        while (got < back.size()) {
            const int n =
                SSL_read(ssl_.get(), back.data() + got, static_cast<int>(back.size() - got));
            if (n <= 0) {
                return {};
            }
            got += static_cast<std::size_t>(n);
        }
        return back;
    }
    /// Waits until the far end says something, or ends.
    std::string wait() {
        char byte = 0;
        return SSL_read(ssl_.get(), &byte, 1) == 1 ? std::string(1, byte) : std::string();
    }
    [[nodiscard]] std::string server_name() const {
        X509* certificate = SSL_get0_peer_certificate(ssl_.get());
        if (certificate == nullptr) {
            return {};
        }
        for (const char* name : {"first.example", "second.example"}) {
            if (X509_check_host(certificate, name, 0, 0, nullptr) == 1) {
                return name;
            }
        }
        return "?";
    }

  private:
    std::unique_ptr<SSL_CTX, SslFree> context_;
    std::unique_ptr<SSL, SslFree> ssl_;
    int fd_;
    bool connected_ = false;
};

class TlsTest : public testing::Test {
  protected:
    TlsTest() {
        authority_.write(dir_ / "server", "DNS:first.example");
        authority_.write(dir_ / "ops", "URI:spiffe://site/ops,DNS:ops.example");
        write_text(dir_ / "ca.pem", authority_.pem());
        config_ = {"127.0.0.1:0", dir_ / "server.pem", dir_ / "server.key", dir_ / "ca.pem", ""};
    }
    ~TlsTest() override {
        front_.reset();
        for (auto& thread : echoes_) {
            thread.join();
        }
    }
    void start() {
        auto front = TlsFront::start(config_, [this](int fd, Actor actor) {
            const std::lock_guard lock(mutex_);
            actors_.push_back(std::move(actor));
            (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
            echoes_.emplace_back([fd] {
                std::vector<char> buffer(100'000);
                for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
                    for (ssize_t at = 0; at < n;) {
                        const ssize_t put = ::send(
                            fd, buffer.data() + at, static_cast<std::size_t>(n - at), MSG_NOSIGNAL);
                        if (put <= 0) {
                            break;
                        }
                        at += put;
                    }
                }
                (void)::close(fd);
            });
            return true;
        });
        ASSERT_TRUE(front) << front.error().line();
        front_ = std::move(*front);
    }
    [[nodiscard]] std::uint16_t port() const { return front_->port(); }

    TempDir dir_;
    Authority authority_{"site"};
    config::ControlTls config_;
    std::mutex mutex_;
    std::vector<Actor> actors_;
    std::vector<std::thread> echoes_;
    std::unique_ptr<TlsFront> front_;
};

TEST_F(TlsTest, AKnownClientIsServedAndNamed) {
    start();
    TlsClient client(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(client.echo("hello"), "hello");
    const std::string much(1'000'000, 'x');
    EXPECT_EQ(client.echo(much), much) << "more than any buffer";
    const std::lock_guard lock(mutex_);
    ASSERT_EQ(actors_.size(), 1U);
    EXPECT_EQ(actors_[0].via, "tls");
    EXPECT_EQ(actors_[0].sans, (std::vector<std::string>{"spiffe://site/ops", "ops.example"}));
}

TEST_F(TlsTest, OlderTlsStrangersAndTheNamelessAreRefused) {
    start();
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem", TLS1_2_VERSION).echo("x"), "");
    EXPECT_EQ(TlsClient(port(), "", dir_ / "ca.pem").echo("x"), "");
    const Authority stranger("other");
    stranger.write(dir_ / "stranger", "URI:spiffe://site/ops");
    EXPECT_EQ(TlsClient(port(), dir_ / "stranger", dir_ / "ca.pem").echo("x"), "");
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(actors_.empty());
}

TEST_F(TlsTest, NewCertificatesHoldForNewConnectionsAndOldOnesGoOn) {
    start();
    TlsClient before(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(before.server_name(), "first.example");
    authority_.write(dir_ / "server", "DNS:second.example");
    TlsClient after(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(after.server_name(), "second.example");
    EXPECT_EQ(before.echo("still"), "still");
    // A file that cannot be used is passed over.
    write_text(dir_ / "server.pem", "not a certificate");
    TlsClient then(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(then.server_name(), "second.example");
    // Another authority for clients: those of the old one are strangers now.
    authority_.write(dir_ / "server", "DNS:first.example");
    const Authority next("next");
    next.write(dir_ / "next", "DNS:next.example");
    write_text(dir_ / "ca2.pem", authority_.pem());
    write_text(dir_ / "ca.pem", next.pem());
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca2.pem").echo("x"), "");
    EXPECT_EQ(TlsClient(port(), dir_ / "next", dir_ / "ca2.pem").echo("x"), "x");
}

TEST_F(TlsTest, WhoIsRevokedIsRefusedAndCutOffWithoutARestart) {
    authority_.write(dir_ / "thief", "URI:spiffe://site/ops");
    write_text(dir_ / "crl.pem", authority_.crl({}));
    config_.crl = dir_ / "crl.pem";
    start();
    TlsClient thief(port(), dir_ / "thief", dir_ / "ca.pem");
    TlsClient ops(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(thief.echo("in"), "in");
    EXPECT_EQ(ops.echo("in"), "in");
    write_text(dir_ / "crl.pem", authority_.crl({dir_ / "thief"}));
    EXPECT_EQ(TlsClient(port(), dir_ / "thief", dir_ / "ca.pem").echo("again"), "");
    EXPECT_EQ(thief.echo("still"), "") << "connections from before end, too";
    EXPECT_EQ(ops.echo("still"), "still");
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem").echo("new"), "new");
    // What cannot be read is passed over: the last list holds.
    write_text(dir_ / "crl.pem", "not a list");
    EXPECT_EQ(TlsClient(port(), dir_ / "thief", dir_ / "ca.pem").echo("again"), "");
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem").echo("new"), "new");
}

TEST_F(TlsTest, AnIdleClientIsCutOffWhenItIsRevoked) {
    write_text(dir_ / "crl.pem", authority_.crl({}));
    config_.crl = dir_ / "crl.pem";
    start();
    TlsClient ops(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(ops.echo("in"), "in");
    write_text(dir_ / "crl.pem", authority_.crl({dir_ / "ops"}));
    EXPECT_EQ(ops.wait(), "") << "nobody else connects: the door looks at its files by itself";
}

TEST_F(TlsTest, AListThatIsMissingOrPastItsTimeLetsNobodyIn) {
    config_.crl = dir_ / "crl.pem";
    const auto ignore = [](int fd, const Actor&) {
        (void)::close(fd);
        return false;
    };
    const auto missing = TlsFront::start(config_, ignore);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().field, "control.tls.crl");
    write_text(dir_ / "crl.pem", authority_.crl({}, -3600));
    start();
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem").echo("x"), "");
    const Authority other("other");
    write_text(dir_ / "crl.pem", other.crl({}));
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem").echo("x"), "")
        << "a list of another authority says nothing of this one's clients";
}

TEST_F(TlsTest, AThousandHalfOpenConnectionsHoldUpNobody) {
    start();
    std::vector<int> half;
    for (int i = 0; i < 500; ++i) {
        half.push_back(connect_to(port()));
        if (i % 2 == 0) {  // some begin a handshake and stop
            (void)::send(half.back(), "\x16\x03\x01", 3, MSG_NOSIGNAL);
        }
    }
    TlsClient client(port(), dir_ / "ops", dir_ / "ca.pem");
    EXPECT_EQ(client.echo("served"), "served");
    for (int i = 0; i < 500; ++i) {
        half.push_back(connect_to(port()));
    }
    EXPECT_EQ(client.echo("still"), "still");
    EXPECT_EQ(TlsClient(port(), dir_ / "ops", dir_ / "ca.pem").echo("new"), "new");
    for (const int fd : half) {
        (void)::close(fd);
    }
}

TEST_F(TlsTest, AKeyThatOthersMayReadIsRefused) {
    (void)::chmod((dir_ / "server.key").c_str(), 0644);
    auto front = TlsFront::start(config_, [](int fd, const Actor&) {
        (void)::close(fd);
        return false;
    });
    ASSERT_FALSE(front);
    EXPECT_EQ(front.error().field, "control.tls.key");
}

}  // namespace
}  // namespace weir::control::test
