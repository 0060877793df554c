// SPDX-License-Identifier: BSD-3-Clause
// Real programs around a real gateway: processes, namespaces, files.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace weir::test {

struct CommandResult {
    int status = -1;     ///< exit status, 128 + signal if killed
    std::string output;  ///< stdout and stderr together
};

/// Runs a shell command to its end, bounded by `timeout_s`.
[[nodiscard]] CommandResult run(const std::string& command, int timeout_s = 60);

/// Polls until `done` or the deadline; true if done. The poll interval is short, the deadline generous: nothing
/// is measured by it.
[[nodiscard]] bool wait_until(const std::function<bool()>& done, std::chrono::seconds deadline);

/// A child process whose output goes to a file. Killed, by pid, when it goes out of scope.
class Process {
  public:
    Process(const std::string& command, std::string log);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void signal(int number) const;
    [[nodiscard]] bool running();
    /// Waits for the end, up to `deadline`; exit status (128 + signal if killed), or −1 if it still runs.
    int wait(std::chrono::seconds deadline);
    [[nodiscard]] std::string output() const;
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    pid_t pid_ = -1;
    int status_ = -1;
    bool ended_ = false;
    std::string log_;
};

/// client — gateway — server, in three network namespaces of this test's own, joined by two veth pairs with all
/// offloads off. 10.99.0.1 is the client, 10.99.0.2 the server; the gateway's ends are "wa" and "wb".
class Wire {
  public:
    /// `bridged`: instead of leaving room for a gateway, joins client and server by one veth pair (the baseline).
    explicit Wire(bool bridged = false);
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] std::string client(const std::string& command) const;
    [[nodiscard]] std::string server(const std::string& command) const;
    [[nodiscard]] std::string gateway(const std::string& command) const;
    [[nodiscard]] const std::string& dir() const noexcept { return dir_; }

  private:
    std::string tag_;
    std::string dir_;
    bool ok_ = false;
};

[[nodiscard]] bool is_root();
void write_file(const std::string& path, const std::string& text);
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace weir::test
