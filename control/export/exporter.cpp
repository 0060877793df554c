// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/exporter.h"

#include "control/export/ipfix_sink.h"
#include "control/export/line_sink.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace weir::control {

namespace {

using Clock = std::chrono::steady_clock;
/// Of queued records after the exporter was told to stop.
constexpr std::chrono::seconds kFarewell{2};
constexpr std::size_t kAtOnce = 256;

std::uint32_t wall_seconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

/// Where a pipeline ends.
class Writer {
  public:
    Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    virtual ~Writer() = default;
    /// How many of the events were taken.
    virtual std::size_t write(std::span<const FlowEvent> events) = 0;
    virtual bool write(const StatsSample& sample) = 0;
    virtual void reopen() = 0;
    [[nodiscard]] virtual std::uint64_t rotations() const { return 0; }
};

class EveWriter final : public Writer {
  public:
    EveWriter(std::unique_ptr<LineSink> sink, const config::Eve& eve) : sink_(std::move(sink)) {
        for (const auto type : eve.types) {
            wanted_.at(static_cast<std::size_t>(type)) = true;
        }
    }
    std::size_t write(std::span<const FlowEvent> events) override {
        std::size_t taken = 0;
        const auto now = Clock::now();
        for (const FlowEvent& event : events) {
            bool good = true;
            if (wants(config::EveEvent::alert) && event.alarm() != nullptr) {
                good = sink_->write(eve_alert(event), now);
            }
            if (wants(config::EveEvent::flow)) {
                good = sink_->write(eve_flow(event), now) && good;
            }
            taken += good ? 1 : 0;
        }
        return taken;
    }
    bool write(const StatsSample& sample) override {
        return sink_->write(eve_stats(sample), Clock::now());
    }
    void reopen() override { sink_->reopen(); }
    [[nodiscard]] std::uint64_t rotations() const override { return sink_->rotations(); }

  private:
    [[nodiscard]] bool wants(config::EveEvent type) const {
        return wanted_[static_cast<std::size_t>(type)];
    }

    std::unique_ptr<LineSink> sink_;
    std::array<bool, 3> wanted_{};
};

class IpfixWriter final : public Writer {
  public:
    explicit IpfixWriter(std::unique_ptr<IpfixSink> sink) : sink_(std::move(sink)) {}
    std::size_t write(std::span<const FlowEvent> events) override {
        return sink_->write(events, wall_seconds(), Clock::now());
    }
    bool write(const StatsSample& /*sample*/) override { return true; }
    void reopen() override { sink_->reopen(); }

  private:
    std::unique_ptr<IpfixSink> sink_;
};

}  // namespace

/// A bounded queue and the thread that empties it.
class Exporter::Pipeline {
  public:
    Pipeline(
        std::unique_ptr<Writer> writer,
        std::optional<CryptoPan> pan,
        std::size_t capacity,
        ExportCounters& counters)
        : writer_(std::move(writer)),
          pan_(std::move(pan)),
          capacity_(capacity),
          counters_(counters),
          rotations_before_(counters.rotations.load(std::memory_order_relaxed)),
          thread_([this] { run(); }) {}
    ~Pipeline() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            give_up_ = Clock::now() + kFarewell;
        }
        wake_.notify_one();
        thread_.join();
    }
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    void add(
        std::span<const dataplane::FlowRecord> records,
        const std::shared_ptr<const EventNames>& names) {
        {
            const std::lock_guard lock(mutex_);
            const auto fit = std::min(records.size(), capacity_ - waiting_.size());
            waiting_.insert(
                waiting_.end(), records.begin(), records.begin() + static_cast<long>(fit));
            names_ = names;
            counters_.dropped.fetch_add(records.size() - fit, std::memory_order_relaxed);
        }
        wake_.notify_one();
    }
    void add(StatsSample sample) {
        {
            const std::lock_guard lock(mutex_);
            stats_ = std::move(sample);  // one that nobody has written yet is out of date
        }
        wake_.notify_one();
    }
    void reopen() {
        {
            const std::lock_guard lock(mutex_);
            reopen_ = true;
        }
        wake_.notify_one();
    }

  private:
    void run();
    void write(
        std::span<const dataplane::FlowRecord> records, const EventNames& names, bool stopping);
    [[nodiscard]] bool late(bool stopping) const { return stopping && Clock::now() > give_up_; }

    std::unique_ptr<Writer> writer_;
    std::optional<CryptoPan> pan_;
    const std::size_t capacity_;
    ExportCounters& counters_;
    const std::uint64_t rotations_before_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<dataplane::FlowRecord> waiting_;
    std::shared_ptr<const EventNames> names_ = std::make_shared<const EventNames>();
    std::optional<StatsSample> stats_;
    bool reopen_ = false;
    bool stopping_ = false;
    Clock::time_point give_up_{};  ///< written before stopping_ is seen
    std::thread thread_;
};

void Exporter::Pipeline::run() {
    std::vector<dataplane::FlowRecord> records;
    for (bool stopping = false; !stopping;) {
        std::shared_ptr<const EventNames> names;
        std::optional<StatsSample> stats;
        bool reopen = false;
        records.clear();
        {
            std::unique_lock lock(mutex_);
            wake_.wait(
                lock, [this] { return stopping_ || reopen_ || stats_ || !waiting_.empty(); });
            std::swap(records, waiting_);
            stats = std::exchange(stats_, std::nullopt);
            reopen = std::exchange(reopen_, false);
            names = names_;
            stopping = stopping_;
        }
        if (reopen) {
            writer_->reopen();
        }
        write(records, *names, stopping);
        if (stats && !late(stopping) && !writer_->write(*stats)) {
            counters_.failed.fetch_add(1, std::memory_order_relaxed);
        }
        counters_.rotations.store(
            rotations_before_ + writer_->rotations(), std::memory_order_relaxed);
    }
}

void Exporter::Pipeline::write(
    std::span<const dataplane::FlowRecord> records, const EventNames& names, bool stopping) {
    std::vector<FlowEvent> events;
    while (!records.empty()) {
        const auto some = records.first(std::min(records.size(), kAtOnce));
        records = records.subspan(some.size());
        events.clear();
        std::size_t taken = 0;
        if (!late(stopping)) {
            for (const auto& record : some) {
                if (auto event = make_event(record, names, pan_ ? &*pan_ : nullptr)) {
                    events.push_back(std::move(*event));
                }
            }
            taken = writer_->write(events);
        }
        counters_.exported.fetch_add(taken, std::memory_order_relaxed);
        counters_.failed.fetch_add(some.size() - taken, std::memory_order_relaxed);
    }
}

Result<std::unique_ptr<Exporter>> Exporter::start(
    const config::Export& exports, std::vector<std::string> slots, ExportTotals& totals) {
    std::unique_ptr<Exporter> exporter(new Exporter);
    const auto slot_count = slots.size();
    exporter->names_ = std::make_shared<const EventNames>(EventNames{std::move(slots), {}});
    std::vector<std::pair<std::unique_ptr<Writer>, ExportTarget>> writers;
    if (!exports.eve.file.empty()) {
        auto sink = LineSink::open(exports.eve);
        if (!sink) {
            return tl::unexpected(std::move(sink.error()));
        }
        writers.emplace_back(
            std::make_unique<EveWriter>(std::move(*sink), exports.eve), ExportTarget::eve);
        const auto& types = exports.eve.types;
        const bool stats =
            std::find(types.begin(), types.end(), config::EveEvent::stats) != types.end();
        exporter->stats_s_ = stats ? exports.eve.stats_s : 0;
    }
    if (!exports.ipfix.collector.empty()) {
        auto sink = IpfixSink::open(exports.ipfix, slot_count);
        if (!sink) {
            return tl::unexpected(std::move(sink.error()));
        }
        writers.emplace_back(std::make_unique<IpfixWriter>(std::move(*sink)), ExportTarget::ipfix);
    }
    for (auto& [writer, target] : writers) {
        std::optional<CryptoPan> pan;
        if (!exports.pseudonym_key.empty()) {
            auto made = CryptoPan::from_file(exports.pseudonym_key);
            if (!made) {
                return tl::unexpected(std::move(made.error()));
            }
            pan = std::move(*made);
        }
        exporter->pipelines_.push_back(std::make_unique<Pipeline>(
            std::move(writer),
            std::move(pan),
            exports.queue,
            totals.at(static_cast<std::size_t>(target))));
    }
    return exporter;
}

Exporter::~Exporter() = default;

void Exporter::learn(const dataplane::Snapshot& snapshot) {
    if (snapshot.generation == generation_) {
        return;
    }
    generation_ = snapshot.generation;
    auto names = std::make_shared<EventNames>(*names_);
    const auto note = [&names](const std::shared_ptr<const dataplane::SlotModel>& model) {
        if (model) {
            names->models[model->ref] = {model->name, model->version};
        }
    };
    for (const auto& slot : snapshot.slots) {
        note(slot.active);
        for (const auto& trial : slot.trials) {
            note(trial.model);
        }
    }
    names_ = std::move(names);
}

void Exporter::add(std::span<const dataplane::FlowRecord> records) {
    if (records.empty()) {
        return;
    }
    for (const auto& pipeline : pipelines_) {
        pipeline->add(records, names_);
    }
}

bool Exporter::stats_due(std::uint64_t unix_s) {
    if (stats_s_ == 0 || unix_s < stats_last_ + stats_s_) {
        return false;
    }
    stats_last_ = unix_s;
    return true;
}

void Exporter::add_stats(StatsSample sample) {
    if (stats_s_ != 0) {
        pipelines_.front()->add(std::move(sample));  // EVE's
    }
}

void Exporter::reopen() {
    for (const auto& pipeline : pipelines_) {
        pipeline->reopen();
    }
}

StatsSample sample_stats(
    std::span<const dataplane::WorkerStats* const> workers,
    std::span<const std::string> slots,
    std::uint64_t unix_ns,
    std::uint64_t uptime_s) {
    StatsSample out;
    out.unix_ns = unix_ns;
    out.uptime_s = uptime_s;
    for (const auto* stats : workers) {
        for (const auto& port : stats->ports) {
            out.packets += port.rx_packets.get();
            out.bytes += port.rx_bytes.get();
            out.sent += port.tx_packets.get();
        }
        for (const auto result :
             {dataplane::ParseResult::truncated,
              dataplane::ParseResult::malformed,
              dataplane::ParseResult::unsupported}) {
            out.invalid += stats->parsed[static_cast<std::size_t>(result)].get();
        }
        for (const auto& reason : dataplane::kDropReasonTable) {
            out.drops[std::string(reason.name)] +=
                stats->drops[static_cast<std::size_t>(reason.reason)].get();
        }
        for (std::size_t s = 0; s < slots.size() && s < stats->slots.size(); ++s) {
            out.scored[slots[s]] += stats->slots[s].scored.get();
        }
        out.marked += stats->marked.get();
        out.flows_live += stats->flows_live.get();
        out.flows_created += stats->flows_created.get();
        out.records_lost += stats->events_lost.get();
    }
    return out;
}

}  // namespace weir::control
