// SPDX-License-Identifier: BSD-3-Clause
// The thread between the workers' copies of packets and the file that keeps them.
#pragma once

#include "config/policy.h"
#include "control/export/counters.h"
#include "control/mirror/packet_comment.h"
#include "dataplane/runtime.h"
#include "dataplane/snapshot.h"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::control {

class MirrorFile;

/// Thread: one (control).
class MirrorWriter {
  public:
    /// Opens policy.mirror.file and starts the thread, which inherits the caller's CPU affinity. `slots`: names by index.
    /// `runtime` and `counters` must outlive the result.
    [[nodiscard]] static Result<std::unique_ptr<MirrorWriter>> start(
        const config::Mirror& mirror,
        std::vector<std::string> slots,
        dataplane::Runtime& runtime,
        ExportCounters& counters);
    /// Writes what waits, and ends the thread. Workers must have stopped, or must not mirror any more.
    ~MirrorWriter();
    MirrorWriter(const MirrorWriter&) = delete;
    MirrorWriter& operator=(const MirrorWriter&) = delete;

    /// Learns the names behind a snapshot's numbers; to be called for each before long.
    void learn(const dataplane::Snapshot& snapshot);
    /// The file is opened by its name anew: at a reload, after a rotation by others.
    void reopen();

  private:
    MirrorWriter(
        std::unique_ptr<MirrorFile> file,
        std::vector<std::string> slots,
        dataplane::Runtime& runtime,
        ExportCounters& counters);
    void run();
    void annotate(rte_mbuf& copy);

    std::unique_ptr<MirrorFile> file_;
    dataplane::Runtime& runtime_;
    ExportCounters& counters_;
    std::uint64_t learned_ = ~std::uint64_t{0};  ///< generation; control's

    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    bool reopen_ = false;
    EventNames events_;
    std::map<std::uint64_t, std::vector<std::string>> policies_;  ///< by generation, the latest few
    std::thread thread_;
};

}  // namespace weir::control
