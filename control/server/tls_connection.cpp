// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/tls_connection.h"

#include <cerrno>

#include <sys/socket.h>

#include <openssl/err.h>

namespace weir::control {

namespace {

constexpr int kRounds =
    16;  ///< of one connection's turn, so that it cannot keep the others waiting

Step fill_from_ssl(TlsConnection& c) {
    const int n = SSL_read(c.ssl.get(), c.in.bytes.data(), kTlsBuffer);
    if (n <= 0) {
        const Step step = ssl_step(c.ssl.get(), n);
        c.in.over = step == Step::over;
        return step;
    }
    c.in.from = 0;
    c.in.to = static_cast<std::size_t>(n);
    return Step::moved;
}

Step fill_from_plain(TlsConnection& c) {
    const ssize_t n = ::recv(c.plain.get(), c.out.bytes.data(), kTlsBuffer, MSG_DONTWAIT);
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

Step drain_to_plain(TlsConnection& c) {
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

Step drain_to_ssl(TlsConnection& c) {
    const int n = SSL_write(
        c.ssl.get(), c.out.bytes.data() + c.out.from, static_cast<int>(c.out.to - c.out.from));
    if (n <= 0) {
        return ssl_step(c.ssl.get(), n);
    }
    c.out.from += static_cast<std::size_t>(n);
    return Step::moved;
}

}  // namespace

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

Step pump(TlsConnection& c) {
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

}  // namespace weir::control
