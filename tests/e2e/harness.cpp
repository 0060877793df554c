// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <sys/wait.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir::test {

namespace {

[[nodiscard]] int decode(int status) {
    constexpr int kSignalBase = 128;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

// Programs around the gateway stay off the worker's core.
constexpr const char* kOtherCore = "taskset -c 0 ";

}  // namespace

CommandResult run(const std::string& command, int timeout_s) {
    CommandResult result;
    const std::string bounded =
        "timeout -k 5 " + std::to_string(timeout_s) + " bash -c '" + command + "' 2>&1";
    FILE* pipe = popen(bounded.c_str(), "r");
    if (pipe == nullptr) {
        return result;
    }
    char buffer[4096];
    std::size_t got = 0;
    while ((got = fread(buffer, 1, sizeof(buffer), pipe)) > 0) {
        result.output.append(buffer, got);
    }
    result.status = decode(pclose(pipe));
    return result;
}

bool wait_until(const std::function<bool()>& done, std::chrono::seconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

Process::Process(const std::string& command, std::string log) : log_(std::move(log)) {
    const std::string replaced = "exec " + command;
    pid_ = fork();
    if (pid_ == 0) {
        const int fd = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execl("/bin/bash", "bash", "-c", replaced.c_str(), static_cast<char*>(nullptr));
        _exit(127);
    }
}

Process::~Process() {
    if (running()) {
        signal(SIGTERM);
        if (wait(std::chrono::seconds(10)) < 0) {
            signal(SIGKILL);
            static_cast<void>(wait(std::chrono::seconds(10)));
        }
    }
}

void Process::signal(int number) const {
    if (!ended_) {
        kill(pid_, number);
    }
}

bool Process::running() {
    if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) {
        ended_ = true;
    }
    return !ended_;
}

int Process::wait(std::chrono::seconds deadline) {
    return wait_until([this] { return !running(); }, deadline) ? decode(status_) : -1;
}

std::string Process::output() const {
    return read_file(log_);
}

namespace {

// Two wires may stand at once.
[[nodiscard]] std::string unique_tag() {
    static int count = 0;
    return "weir" + std::to_string(getpid()) + "x" + std::to_string(count++);
}

}  // namespace

Wire::Wire(bool bridged) : tag_(unique_tag()) {
    char name[] = "/tmp/weir-e2e-XXXXXX";
    dir_ = mkdtemp(name);
    const std::string c = tag_ + "c";
    const std::string g = tag_ + "g";
    const std::string s = tag_ + "s";
    std::string script = "set -e; ";
    for (const std::string& ns : {c, g, s}) {
        script += "ip netns add " + ns + "; ip -n " + ns + " link set lo up; ";
    }
    if (bridged) {
        script += "ip -n " + c + " link add eth0 type veth peer name eth0 netns " + s + "; ";
    } else {
        script += "ip -n " + c + " link add eth0 type veth peer name wa netns " + g + "; ";
        script += "ip -n " + s + " link add eth0 type veth peer name wb netns " + g + "; ";
    }
    // Frames must leave the hosts as a wire would carry them: checksummed and not larger than the MTU.
    const auto plain = [&](const std::string& ns, const std::string& link) {
        script += "ip netns exec " + ns + " sysctl -qw net.ipv6.conf." + link + ".disable_ipv6=1; ";
        script += "ip netns exec " + ns + " ethtool -K " + link +
                  " tx off rx off tso off gso off gro off >/dev/null; ";
        script += "ip -n " + ns + " link set " + link + " up; ";
    };
    plain(c, "eth0");
    plain(s, "eth0");
    if (!bridged) {
        plain(g, "wa");
        plain(g, "wb");
    }
    script += "ip -n " + c + " addr add 10.99.0.1/24 dev eth0; ip -n " + s +
              " addr add 10.99.0.2/24 dev eth0; ";
    const CommandResult result = run(script);
    ok_ = result.status == 0;
    if (!ok_) {
        std::fprintf(stderr, "namespaces: %s\n", result.output.c_str());
    }
}

Wire::~Wire() {
    for (const char* end : {"c", "g", "s"}) {
        static_cast<void>(run("ip netns del " + tag_ + end));
    }
    std::filesystem::remove_all(dir_);
}

std::string Wire::client(const std::string& command) const {
    return "ip netns exec " + tag_ + "c " + kOtherCore + command;
}

std::string Wire::server(const std::string& command) const {
    return "ip netns exec " + tag_ + "s " + kOtherCore + command;
}

std::string Wire::gateway(const std::string& command) const {
    return "ip netns exec " + tag_ + "g " + command;
}

bool is_root() {
    return geteuid() == 0;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace weir::test
