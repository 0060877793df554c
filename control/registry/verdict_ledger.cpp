// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/verdict_ledger.h"

#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace weir::control {

VerdictLedger::VerdictLedger(
    std::span<const dataplane::WorkerInfo> workers, std::vector<std::string> slots)
    : workers_(workers), slots_(slots.size()) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
        slots_[i].name = std::move(slots[i]);
    }
}

VerdictLedger::Counts VerdictLedger::read(std::uint32_t slot, std::uint32_t block) const {
    Counts sum{};
    for (const auto& worker : workers_) {
        const auto& counters = worker.stats->slots[slot].verdicts[block];
        for (std::size_t c = 0; c < sum.size(); ++c) {
            sum[c] += counters[c].get();
        }
    }
    return sum;
}

Result<std::uint8_t> VerdictLedger::open(
    std::uint32_t slot, const std::string& model, std::uint32_t version) {
    const std::lock_guard lock(mutex_);
    auto& blocks = slots_.at(slot).blocks;
    const auto free =
        std::find_if(blocks.begin(), blocks.end(), [](const Holder& h) { return !h.used; });
    if (free == blocks.end()) {
        return fail(
            "slot " + slots_[slot].name,
            "",
            "all verdict counter blocks are in use",
            "retire a model first");
    }
    const auto block = static_cast<std::uint8_t>(free - blocks.begin());
    *free = Holder{true, model, version, read(slot, block)};
    return block;
}

void VerdictLedger::close(std::uint32_t slot, std::uint8_t block) {
    const std::lock_guard lock(mutex_);
    auto& entry = slots_.at(slot);
    auto& holder = entry.blocks.at(block);
    Retired gone{holder.model, holder.version, read(slot, block)};
    for (std::size_t c = 0; c < gone.counts.size(); ++c) {
        gone.counts[c] -= holder.base[c];
    }
    holder = Holder{};
    retire(entry, std::move(gone));
}

void VerdictLedger::retire(Slot& slot, Retired gone) {
    const auto add = [](Counts& to, const Counts& from) {
        std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>());
    };
    auto& retired = slot.retired;
    const auto same = std::find_if(retired.begin(), retired.end(), [&](const Retired& r) {
        return r.model == gone.model && r.version == gone.version;
    });
    if (same != retired.end()) {
        add(gone.counts, same->counts);
        retired.erase(same);
    }
    retired.push_back(std::move(gone));
    if (retired.size() <= kMaxRetired) {
        return;
    }
    // The two oldest become one. "retired" cannot be met above by a bundle of that name: its version is 0.
    Retired others{kOthers, 0, retired[0].counts};
    add(others.counts, retired[1].counts);
    retired.erase(retired.begin());
    retired.front() = std::move(others);
}

std::vector<VerdictTotal> VerdictLedger::totals() const {
    std::vector<VerdictTotal> out;
    const std::lock_guard lock(mutex_);
    for (std::uint32_t s = 0; s < slots_.size(); ++s) {
        const auto& slot = slots_[s];
        // A model may be in use and, from an earlier time, among the retired: one series.
        std::vector<Retired> models = slot.retired;
        for (std::uint32_t b = 0; b < slot.blocks.size(); ++b) {
            const auto& holder = slot.blocks[b];
            if (!holder.used) {
                continue;
            }
            Counts counts = read(s, b);
            const auto same = std::find_if(models.begin(), models.end(), [&](const Retired& r) {
                return r.model == holder.model && r.version == holder.version;
            });
            const bool known = same != models.end();
            auto& sum = known
                            ? same->counts
                            : models.emplace_back(Retired{holder.model, holder.version, {}}).counts;
            for (std::size_t c = 0; c < counts.size(); ++c) {
                sum[c] += counts[c] - holder.base[c];
            }
        }
        for (const auto& model : models) {
            for (std::size_t c = 0; c < model.counts.size(); ++c) {
                if (model.counts[c] != 0) {
                    out.push_back(
                        {slot.name,
                         model.model,
                         model.version,
                         dataplane::class_name(slot.name, static_cast<std::uint8_t>(c)),
                         model.counts[c]});
                }
            }
        }
    }
    return out;
}

}  // namespace weir::control
