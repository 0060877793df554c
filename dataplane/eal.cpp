// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/file.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace weir::dataplane {

namespace {

// EAL reports why it fails on its log only: the last lines are kept to be quoted.
class LogCapture {
  public:
    LogCapture() {
        cookie_io_functions_t io{};
        io.write = [](void* self, const char* data, std::size_t size) -> ssize_t {
            static_cast<LogCapture*>(self)->add({data, size});
            return static_cast<ssize_t>(size);
        };
        stream_ = fopencookie(this, "w", io);
        if (stream_ != nullptr) {
            setvbuf(stream_, nullptr, _IOLBF, BUFSIZ);
        }
    }
    [[nodiscard]] FILE* stream() const noexcept { return stream_; }
    /// The last line that tells of an error, without its prefix.
    [[nodiscard]] std::string last_error() const {
        std::fflush(stream_);
        std::string best;
        std::size_t begin = 0;
        while (begin < text_.size()) {
            const std::size_t end = std::min(text_.find('\n', begin), text_.size());
            const std::string line = text_.substr(begin, end - begin);
            if (line.find("Detected") == std::string::npos &&
                line.find("Selected") == std::string::npos && !line.empty()) {
                best = line;
            }
            begin = end + 1;
        }
        return best;
    }

  private:
    void add(std::string_view text) {
        text_ += text;
        constexpr std::size_t kKeep = 8192;
        if (text_.size() > kKeep) {
            text_.erase(0, text_.size() - kKeep);
        }
    }
    FILE* stream_ = nullptr;
    std::string text_;
};

// Lives as long as the process: DPDK may log until the very end.
[[nodiscard]] LogCapture& log_capture() {
    static auto* capture = new LogCapture;
    return *capture;
}

[[nodiscard]] std::string allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    std::string list;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            list += (list.empty() ? "" : ",") + std::to_string(cpu);
        }
    }
    return list;
}

[[nodiscard]] bool cpu_allowed(std::uint32_t cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    return cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(set), &set) == 0 &&
           CPU_ISSET(cpu, &set);
}

// An advisory lock a worker lcore, held while the process lives, so that two gateways never share a core unknowingly.
[[nodiscard]] Result<void> claim_lcore(std::uint32_t lcore, std::size_t index) {
    const std::string path = "/run/lock/weir-lcore-" + std::to_string(lcore);
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) {
        return {};  // no lock directory: nothing to check against
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return fail(
            {},
            "workers.lcores[" + std::to_string(index) + "]",
            "lcore " + std::to_string(lcore) + " is busy: another weir's worker runs on it",
            "stop that one, or give this one another lcore");
    }
    return {};  // kept open on purpose
}

[[nodiscard]] Result<void> check_lcores(const EalOptions& options) {
    const auto check = [&](std::uint32_t lcore, const std::string& field) -> Result<void> {
        if (cpu_allowed(lcore)) {
            return {};
        }
        return fail(
            {},
            field,
            "lcore " + std::to_string(lcore) + " does not exist or this process may not use it",
            "use CPUs of " + allowed_cpus() + " (taskset, cgroup cpuset)");
    };
    if (auto ok = check(options.eal.main_lcore, "eal.main_lcore"); !ok) {
        return ok;
    }
    for (std::size_t i = 0; i < options.worker_lcores.size(); ++i) {
        const std::uint32_t lcore = options.worker_lcores[i];
        if (auto ok = check(lcore, "workers.lcores[" + std::to_string(i) + "]"); !ok) {
            return ok;
        }
        if (auto ok = claim_lcore(lcore, i); !ok) {
            return ok;
        }
    }
    return {};
}

[[nodiscard]] std::vector<std::string> arguments(const EalOptions& options, bool huge) {
    std::vector<std::string> args{"weir", "--no-telemetry", "--log-level=*:warning"};
    if (options.worker_lcores.empty()) {
        args.push_back("--lcores=0@(" + allowed_cpus() + ")");
    } else {
        std::string list = std::to_string(options.eal.main_lcore);
        for (const std::uint32_t lcore : options.worker_lcores) {
            list += "," + std::to_string(lcore);
        }
        args.insert(
            args.end(), {"-l", list, "--main-lcore", std::to_string(options.eal.main_lcore)});
    }
    if (huge) {
        args.emplace_back("--in-memory");
    } else {
        args.insert(
            args.end(), {"--no-huge", "--no-shconf", "-m", std::to_string(options.eal.memory_mb)});
    }
    const std::string prefix = options.eal.file_prefix.empty() ? "weir" + std::to_string(getpid())
                                                               : options.eal.file_prefix;
    args.push_back("--file-prefix=" + prefix);
    if (!options.pci) {
        args.emplace_back("--no-pci");
    }
    for (const std::string& device : options.pci_devices) {
        args.insert(args.end(), {"-a", device});
    }
    args.insert(args.end(), options.eal.extra.begin(), options.eal.extra.end());
    return args;
}

}  // namespace

bool free_hugepages() noexcept {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
        std::ifstream file(entry.path() / "free_hugepages");
        std::uint64_t pages = 0;
        if (file >> pages && pages > 0) {
            return true;
        }
    }
    return false;
}

Result<void> start_eal(const EalOptions& options) {
    if (auto ok = check_lcores(options); !ok) {
        return ok;
    }
    const bool have = free_hugepages();
    if (options.eal.hugepages == config::Hugepages::require && !have) {
        return fail(
            {},
            "eal.hugepages",
            "no free hugepages on this machine",
            "as root: echo 512 > /proc/sys/vm/nr_hugepages; or set eal.hugepages to auto");
    }
    const bool huge = have && options.eal.hugepages != config::Hugepages::off;
    if (log_capture().stream() != nullptr) {
        rte_openlog_stream(log_capture().stream());
    }
    std::vector<std::string> args = arguments(options, huge);
    std::vector<char*> argv;
    argv.reserve(args.size());
    for (std::string& arg : args) {
        argv.push_back(arg.data());
    }
    if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
        const std::string said = log_capture().last_error();
        return fail(
            {},
            "eal",
            "DPDK does not start: " + (said.empty() ? rte_strerror(rte_errno) : said),
            huge ? "check free hugepages and permissions, or set eal.hugepages to off"
                 : "check eal.memory_mb and eal.extra");
    }
    return {};
}

void stop_eal() noexcept {
    rte_eal_cleanup();
}

}  // namespace weir::dataplane
