// SPDX-License-Identifier: BSD-3-Clause
// weirctl top: once, as JSON, and live on a terminal.
#include "ctl_fixture.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <unistd.h>

namespace weir::control::test {
namespace {

TEST_F(CtlTest, TopOncePrintsRatesAndEnds) {
    runtime_.count_verdict(0, 0, *dataplane::class_id("anomaly", "scan"), 6);
    const auto said = run({"top", "--once", "--interval", "0.1"});
    EXPECT_EQ(said.exit, 0) << said.err;
    EXPECT_TRUE(contains(said.out, "WORKER     RX PPS")) << said.out;
    EXPECT_TRUE(contains(said.out, "0 (cpu 1)")) << said.out;
    EXPECT_TRUE(contains(said.out, "anomaly  weir-anomaly@1  scan")) << said.out;
    EXPECT_TRUE(contains(said.out, "SCORES  UNSCORED/S  ADDED P50")) << said.out;
    EXPECT_FALSE(contains(said.out, "\033")) << "no terminal, no control characters";
    const auto answer = json({"top", "--once", "--interval", "0.1"});
    EXPECT_GT(answer["seconds"], 0.0);
    EXPECT_EQ(answer["workers"].size(), 2u);
    EXPECT_EQ(answer["workers"][0]["overload_step"], "all");
    EXPECT_EQ(answer["workers"][0]["unscored_pps"], 0.0);
    EXPECT_TRUE(answer["workers"][0]["added_latency_us"].contains("p999"));
    EXPECT_EQ(answer["classes"][0]["class"], "scan");
    EXPECT_EQ(answer["classes"][0]["rows"], 6);
    for (const auto* interval : {"0.01", "61", "often", "", "nan", "1s"}) {
        EXPECT_EQ(run({"top", "--once", "--interval", interval}).exit, 2) << interval;
    }
}

/// weirctl top on a terminal of its own.
class Terminal {
  public:
    Terminal(const std::vector<std::string>& command, unsigned short rows, unsigned short columns)
        : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) {
            return;
        }
        winsize size{};
        size.ws_row = rows;
        size.ws_col = columns;
        (void)::ioctl(master_, TIOCSWINSZ, &size);
        const std::string name = ::ptsname(master_);
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        // A session of its own, whose terminal is the first that it opens: Ctrl-C is a signal then.
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
        for (const int fd : {0, 1, 2}) {
            posix_spawn_file_actions_addopen(&actions, fd, name.c_str(), O_RDWR, 0);
        }
        std::vector<char*> argv;
        for (const auto& word : command) {
            argv.push_back(const_cast<char*>(word.c_str()));
        }
        argv.push_back(nullptr);
        spawned_ = ::posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ) == 0;
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    ~Terminal() {
        if (spawned_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(master_);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    [[nodiscard]] bool spawned() const { return spawned_; }
    /// Reads until `part` was seen `times` times; what was read. Ends early if nothing comes for a minute.
    std::string read_until(std::string_view part, int times) {
        std::string seen;
        std::array<char, 4096> buffer{};
        while (count(seen, part) < times) {
            pollfd polled{master_, POLLIN, 0};
            ssize_t n = 0;
            if (::poll(&polled, 1, 60'000) != 1 ||
                (n = ::read(master_, buffer.data(), buffer.size())) <= 0) {
                break;
            }
            seen.append(buffer.data(), static_cast<std::size_t>(n));
        }
        return seen;
    }
    void type(std::string_view keys) { (void)!::write(master_, keys.data(), keys.size()); }
    int exit_status() {
        int status = -1;
        ::waitpid(pid_, &status, 0);
        spawned_ = false;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    static int count(std::string_view text, std::string_view part) {
        int n = 0;
        for (auto at = text.find(part); at != std::string_view::npos;
             at = text.find(part, at + 1)) {
            ++n;
        }
        return n;
    }

  private:
    int master_;
    pid_t pid_ = -1;
    bool spawned_ = false;
};

TEST_F(CtlTest, TopOverwritesTheScreenUntilInterrupted) {
    Terminal terminal(
        {WEIRCTL_BINARY, "--socket", config_.control.socket, "top", "--interval", "0.1"}, 4, 30);
    ASSERT_TRUE(terminal.spawned());
    const std::string seen = terminal.read_until("\033[J", 3);
    EXPECT_EQ(Terminal::count(seen, "\033[H"), Terminal::count(seen, "\033[J")) << seen;
    EXPECT_GE(Terminal::count(seen, "\033[H"), 3) << seen;
    EXPECT_TRUE(contains(seen, "weir 1.2.3-test")) << seen;
    const auto frame = seen.substr(0, seen.find("\033[J"));
    EXPECT_EQ(Terminal::count(frame, "\n"), 3) << "four rows: " << frame;
    terminal.type("\x03");
    EXPECT_EQ(terminal.exit_status(), 0);
}

TEST_F(CtlTest, TopSaysSoWhenTheGatewayGoes) {
    Terminal terminal(
        {WEIRCTL_BINARY, "--socket", config_.control.socket, "top", "--interval", "0.1"}, 40, 100);
    ASSERT_TRUE(terminal.spawned());
    (void)terminal.read_until("\033[J", 1);
    plane_->stop();
    EXPECT_TRUE(contains(terminal.read_until("weirctl: ", 1), "weirctl: "));
    EXPECT_EQ(terminal.exit_status(), 1);
}

}  // namespace
}  // namespace weir::control::test
