// SPDX-License-Identifier: BSD-3-Clause
#include "control/mirror/mirror_writer.h"

#include "control/mirror/mirror_file.h"

#include <array>
#include <chrono>
#include <utility>

#include <rte_mbuf.h>

#include <pthread.h>

namespace weir::control {

namespace {

constexpr std::chrono::milliseconds kPause{10};
constexpr std::size_t kGenerations = 8;

}  // namespace

Result<std::unique_ptr<MirrorWriter>> MirrorWriter::start(
    const config::Mirror& mirror,
    std::vector<std::string> slots,
    dataplane::Runtime& runtime,
    ExportCounters& counters) {
    auto file = MirrorFile::open(mirror, MirrorFile::Clock::now());
    if (!file) {
        return tl::unexpected(std::move(file.error()));
    }
    return std::unique_ptr<MirrorWriter>(
        new MirrorWriter(std::move(*file), std::move(slots), runtime, counters));
}

MirrorWriter::MirrorWriter(
    std::unique_ptr<MirrorFile> file,
    std::vector<std::string> slots,
    dataplane::Runtime& runtime,
    ExportCounters& counters)
    : file_(std::move(file)), runtime_(runtime), counters_(counters) {
    events_.slots = std::move(slots);
    thread_ = std::thread([this] { run(); });
}

MirrorWriter::~MirrorWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void MirrorWriter::learn(const dataplane::Snapshot& snapshot) {
    if (snapshot.generation == learned_) {
        return;
    }
    learned_ = snapshot.generation;
    const std::lock_guard lock(mutex_);
    const auto add = [this](const std::shared_ptr<const dataplane::SlotModel>& model) {
        if (model != nullptr) {
            events_.models[model->ref] = {model->name, model->version};
        }
    };
    for (const dataplane::SnapshotSlot& slot : snapshot.slots) {
        add(slot.active);
        for (const dataplane::Trial& trial : slot.trials) {
            add(trial.model);
        }
    }
    auto& names = policies_[snapshot.generation];
    if (snapshot.policy != nullptr) {
        for (const dataplane::CompiledPolicy& policy : snapshot.policy->policies) {
            names.push_back(policy.name);
        }
    }
    while (policies_.size() > kGenerations) {
        policies_.erase(policies_.begin());
    }
}

void MirrorWriter::reopen() {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
}

void MirrorWriter::annotate(rte_mbuf& copy) {
    const dataplane::MirrorTag& tag = dataplane::MirrorRing::tag(copy);
    std::string comment;
    {
        const std::lock_guard lock(mutex_);
        const auto at = policies_.find(tag.generation);
        comment = mirror_comment(
            tag,
            events_,
            at == policies_.end() ? std::span<const std::string>() : std::span(at->second));
    }
    (void)annotate_packet(copy, tag.time_ns, comment);
}

void MirrorWriter::run() {
    pthread_setname_np(pthread_self(), "weir-mirror");
    std::array<rte_mbuf*, MirrorFile::kMost> copies{};
    const std::uint64_t rotations_before = counters_.rotations.load(std::memory_order_relaxed);
    for (;;) {
        bool stopping = false;
        bool reopen = false;
        {
            const std::lock_guard lock(mutex_);
            stopping = stopping_;
            reopen = std::exchange(reopen_, false);
        }
        if (reopen) {
            file_->reopen();
        }
        const std::uint32_t count = runtime_.drain_mirror(copies);
        if (count == 0) {
            std::unique_lock lock(mutex_);
            if (stopping) {
                return;  // it was set before the last look
            }
            wake_.wait_for(lock, kPause, [this] { return stopping_; });
            continue;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            annotate(*copies[i]);
        }
        const bool good = file_->write(std::span(copies).first(count), MirrorFile::Clock::now());
        (good ? counters_.exported : counters_.failed).fetch_add(count, std::memory_order_relaxed);
        counters_.rotations.store(rotations_before + file_->rotations(), std::memory_order_relaxed);
        rte_pktmbuf_free_bulk(copies.data(), count);
    }
}

}  // namespace weir::control
