// SPDX-License-Identifier: BSD-3-Clause
// Roles, rates, and clients that mean no good.
#include "control/server/access.h"

#include "control/server/listener.h"
#include "server_fixture.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

using namespace std::chrono_literals;

Actor user(uid_t uid, gid_t gid = 54321) {
    return {.via = "socket", .uid = uid, .gid = gid, .pid = 1, .sans = {}};
}

TEST(Access, RolesFollowTheListsAndNobodyElseIsMoreThanAViewer) {
    config::Control config;
    config.operators = {"uid:54001", "gid:54100", "san:spiffe://site/ops"};
    config.admins = {"uid:54002", "san:admin.example"};
    Access access(config);
    EXPECT_EQ(access.role_of(user(54000)), Role::viewer);
    EXPECT_EQ(access.role_of(user(54001)), Role::operator_);
    EXPECT_EQ(access.role_of(user(54000, 54100)), Role::operator_);
    EXPECT_EQ(access.role_of(user(54002)), Role::admin);
    EXPECT_EQ(access.role_of(user(0)), Role::admin);
    EXPECT_EQ(access.role_of(user(::geteuid())), Role::admin);
    Actor tls{.via = "tls", .uid = {}, .gid = {}, .pid = {}, .sans = {"spiffe://site/ops"}};
    EXPECT_EQ(access.role_of(tls), Role::operator_);
    tls.sans = {"other", "admin.example"};
    EXPECT_EQ(access.role_of(tls), Role::admin);
    tls.sans = {"spiffe://site/ops2", "uid:0"};
    EXPECT_EQ(access.role_of(tls), Role::viewer);
    EXPECT_EQ(access.role_of({.via = "socket"}), Role::viewer) << "nobody knows who";
    config.operators.clear();
    access.set(config);
    EXPECT_EQ(access.role_of(user(54001)), Role::viewer) << "after a reload";
}

TEST(Access, NamesOfUsersAndGroupsAreLookedUp) {
    config::Control config;
    config.operators = {"user:nobody", "group:daemon"};
    const Access access(config);
    const auto* nobody = ::getpwnam("nobody");
    const auto* daemon = ::getgrnam("daemon");
    if (nobody == nullptr || daemon == nullptr) {
        GTEST_SKIP() << "skipped: no user nobody or no group daemon here";
    }
    EXPECT_EQ(access.role_of(user(nobody->pw_uid)), Role::operator_);
    EXPECT_EQ(access.role_of(user(54000, daemon->gr_gid)), Role::operator_);
}

TEST(Access, TheRateIsEachPrincipalsOwn) {
    config::Control config;
    config.requests_per_s = 10;
    Access access(config);
    auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(access.admit(user(1), now)) << i;
    }
    EXPECT_FALSE(access.admit(user(1), now));
    EXPECT_TRUE(access.admit(user(2), now)) << "somebody else's does not suffer";
    now += 100ms;
    EXPECT_TRUE(access.admit(user(1), now));
    EXPECT_FALSE(access.admit(user(1), now));
}

class HostileTest : public ServerTest {
  protected:
    [[nodiscard]] int silent_connection() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        config_.control.socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
            (void)::close(fd);
            return -1;
        }
        return fd;
    }
};

TEST_F(HostileTest, AThousandHalfOpenConnectionsAndOperatorsAreServed) {
    start();
    std::vector<int> half;
    for (int i = 0; i < 1000; ++i) {
        half.push_back(silent_connection());
        if (i % 100 == 0) {
            EXPECT_EQ(models(), 1U) << "beside " << i;
        }
    }
    EXPECT_EQ(models(), 1U);
    EXPECT_TRUE(push(make_bundle({}, operator_key())).ok());
    for (const int fd : half) {
        (void)::close(fd);
    }
}

// HTTP/2's greeting, of which a client may say half and stop.
constexpr std::string_view kGreeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

TEST_F(HostileTest, HalfAGreetingTakesNoConnectionsPlaceAndMayBeFinished) {
    start();
    std::vector<int> half;
    for (std::size_t i = 0; i < Listener::kMaxConnections + 44; ++i) {
        half.push_back(silent_connection());
        ASSERT_GE(half.back(), 0);
        const auto said = kGreeting.substr(0, 1 + i % (kGreeting.size() - 1));
        ASSERT_EQ(
            ::send(half.back(), said.data(), said.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(said.size()));
    }
    EXPECT_EQ(models(), 1U) << "served beside more halves than there are places";
    // One that goes on at once, as silence is bounded: the rest of the greeting, and an empty SETTINGS frame.
    const int whole = silent_connection();
    ASSERT_GE(whole, 0);
    (void)::fcntl(whole, F_SETFL, 0);
    const std::string rest =
        std::string(kGreeting.substr(10)) + std::string("\0\0\0\4\0\0\0\0\0", 9);
    ASSERT_EQ(::send(whole, kGreeting.data(), 10, MSG_NOSIGNAL), 10);
    ASSERT_EQ(
        ::send(whole, rest.data(), rest.size(), MSG_NOSIGNAL), static_cast<ssize_t>(rest.size()));
    std::array<char, 9> frame{};
    ASSERT_EQ(
        ::recv(whole, frame.data(), frame.size(), MSG_WAITALL), static_cast<ssize_t>(frame.size()));
    EXPECT_EQ(frame[3], 4) << "the server's own SETTINGS";
    half.push_back(whole);
    for (const int fd : half) {
        (void)::close(fd);
    }
}

TEST_F(HostileTest, AGreetingOfAnotherKindIsCutOff) {
    start();
    for (const std::string_view said : {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n"}) {
        const int fd = silent_connection();
        ASSERT_GE(fd, 0);
        (void)::fcntl(fd, F_SETFL, 0);
        ASSERT_EQ(
            ::send(fd, said.data(), said.size(), MSG_NOSIGNAL), static_cast<ssize_t>(said.size()));
        char byte = 0;
        EXPECT_LE(::recv(fd, &byte, 1, 0), 0) << said;
        (void)::close(fd);
    }
    EXPECT_EQ(models(), 1U);
}

TEST_F(HostileTest, APushOfTwoGigabytesIsRefusedAtItsHeader) {
    start();
    v1::PushModelReply reply;
    const auto stub = connect();
    const auto ctx = context();
    const auto writer = stub->PushModel(ctx.get(), &reply);
    v1::PushModelRequest request;
    request.mutable_header()->set_size_bytes(std::uint64_t{2} << 30);
    ASSERT_TRUE(writer->Write(request));
    request.set_chunk(std::string(1 << 20, 'x'));
    std::uint64_t sent = 0;
    while (sent < (std::uint64_t{2} << 30) && writer->Write(request)) {
        sent += 1 << 20;
    }
    writer->WritesDone();
    const auto status = writer->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_LT(sent, std::uint64_t{256} << 20) << "what flow control lets through before the answer";
    EXPECT_EQ(models(), 1U);
}

TEST(Access, ABurstIsTwiceTheRate) {
    config::Control config;
    config.requests_per_s = 5;
    config.operators = {"uid:54001"};
    const auto access = std::make_shared<Access>(config);
    EXPECT_EQ(access->role_of(user(54000)), Role::viewer);
    int admitted = 0;
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < 40; ++i) {
        admitted += access->admit(user(54001), now) ? 1 : 0;
    }
    EXPECT_EQ(admitted, 10);
}

}  // namespace
}  // namespace weir::control::test
