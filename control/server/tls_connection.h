// SPDX-License-Identifier: BSD-3-Clause
// One connection of the TLS door: what is decrypted goes to gRPC, what gRPC says is encrypted.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <openssl/ssl.h>
#include <unistd.h>

namespace weir::control {

/// Of each direction's buffer, in bytes: a TLS record.
inline constexpr std::size_t kTlsBuffer = 16384;

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
    std::array<char, kTlsBuffer> bytes;
    std::size_t from = 0;
    std::size_t to = 0;
    bool over = false;  ///< its source ended
    [[nodiscard]] bool empty() const { return from == to; }
};

struct TlsConnection {
    std::unique_ptr<SSL, SslFree> ssl;
    Fd tcp;
    Fd plain;  ///< our end of the pair whose other end gRPC has
    bool established = false;
    std::chrono::steady_clock::time_point until;  ///< of the handshake
    Pipe in;                                      ///< client → gRPC
    Pipe out;                                     ///< gRPC → client
};

enum class Step : std::uint8_t { moved, waits, over };

/// What the result of an SSL call means.
[[nodiscard]] Step ssl_step(SSL* ssl, int result);

/// Moves bytes both ways until neither way has any to move, or the turn is over (moved). Thread: the door's.
[[nodiscard]] Step pump(TlsConnection& c);

}  // namespace weir::control
