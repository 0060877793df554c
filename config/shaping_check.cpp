// SPDX-License-Identifier: BSD-3-Clause
// What the keys of `shaping` cannot check alone.
#include "config/load.h"
#include "config/sections.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace weir::config {

namespace {

constexpr std::uint32_t kMostQueuesHeld = 1U << 23U;  // queues × subscribers × their length

void check_ports(Context& context, const Config& config) {
    std::vector<std::string_view> names;
    for (const Port& port : config.ports) {
        names.push_back(port.name);
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < config.shaping.ports.size(); ++i) {
        const ShapedPort& shaped = config.shaping.ports[i];
        const std::string path = index_path("shaping.ports", i) + ".port";
        const auto at = std::find(names.begin(), names.end(), shaped.port);
        if (at == names.end()) {
            if (!shaped.port.empty()) {
                context.add(path, "no port " + quote(shaped.port), suggest(shaped.port, names));
            }
            continue;
        }
        if (!seen.insert(shaped.port).second) {
            context.add(path, quote(shaped.port) + " is shaped twice", "remove one of the two");
        }
        const auto index = static_cast<std::uint32_t>(at - names.begin());
        const bool paired =
            std::any_of(config.pairs.begin(), config.pairs.end(), [&](const Pair& pair) {
                return pair.a == index || pair.b == index;
            });
        if (!paired) {
            context.add(
                path,
                quote(shaped.port) + " sends nothing: it belongs to no pair",
                "shape a port of `pairs`");
        }
    }
}

/// The scheduler counts in whole parts of the weights' least common multiple, of one byte.
void check_weights(Context& context, const Shaping& shaping) {
    constexpr std::uint64_t kMostParts = 255;
    std::uint64_t multiple = 1;
    for (const ShapedQueue& queue : shaping.queues) {
        multiple = std::lcm(multiple, std::max<std::uint64_t>(1, queue.weight));
    }
    for (std::size_t i = 0; i < shaping.queues.size(); ++i) {
        const std::uint32_t weight = shaping.queues[i].weight;
        if (weight != 0 && multiple / weight > kMostParts) {
            context.add(
                index_path("shaping.queues", i) + ".weight",
                "the weights' least common multiple, " + std::to_string(multiple) +
                    ", is more than 255 times this one",
                "use weights that divide one another, such as 1, 2, 4 and 8");
            return;
        }
    }
}

/// Strict queues stand before weighted ones, and each name, class and DSCP once.
void check_queues(Context& context, const Shaping& shaping) {
    std::size_t strict = 0;
    std::size_t weighted = 0;
    std::size_t otherwise = 0;
    std::set<std::string> names;
    std::set<std::string> classes;
    std::set<std::uint8_t> dscp;
    for (std::size_t i = 0; i < shaping.queues.size(); ++i) {
        const ShapedQueue& queue = shaping.queues[i];
        const std::string path = index_path("shaping.queues", i);
        if (queue.name.empty() || queue.name.size() > 32) {
            context.add(path + ".name", "not a name", "use 1 to 32 characters");
        } else if (!names.insert(queue.name).second) {
            context.add(path + ".name", quote(queue.name) + " is there twice", "rename one");
        }
        if (queue.weight == 0 && weighted != 0) {
            context.add(
                path + ".weight",
                "a strict queue below a weighted one",
                "move it up, or give it a weight");
        }
        ++(queue.weight == 0 ? strict : weighted);
        if (queue.max_share <= 0.0 || (queue.weight != 0 && queue.max_share < 1.0)) {
            context.add(
                path + ".max_share",
                queue.weight != 0 ? "a weighted queue has none" : "nothing would ever leave",
                queue.weight != 0 ? "remove it, or the weight" : "write more than 0");
        }
        if (queue.otherwise && (queue.weight == 0 || ++otherwise > 1)) {
            context.add(
                path + ".otherwise",
                queue.weight == 0 ? "a strict queue cannot take the rest"
                                  : "another queue takes the rest already",
                queue.weight == 0 ? "give it to a weighted queue" : "leave it to one queue");
        }
        for (const std::string& name : queue.classes) {
            if (!classes.insert(name).second) {
                context.add(
                    path + ".classes", quote(name) + " is in two queues", "leave it in one");
            }
        }
        for (const std::uint8_t value : queue.dscp) {
            if (!dscp.insert(value).second) {
                context.add(
                    path + ".dscp", dscp_name(value) + " is in two queues", "leave it in one");
            }
        }
    }
    check_weights(context, shaping);
    if (weighted == 0) {
        context.add(
            "shaping.queues",
            "no weighted queue, so nothing takes what no class places",
            "add {name: rest, weight: 1}");
    }
    if (strict > kMaxStrictQueues || weighted > kMaxWeightedQueues) {
        context.add(
            "shaping.queues",
            std::to_string(strict) + " strict and " + std::to_string(weighted) + " weighted",
            "use at most 12 strict and 4 weighted queues");
    }
}

void check_subscribers(Context& context, const Shaping& shaping) {
    std::set<std::string> names;
    std::set<std::uint16_t> vlans;
    std::set<std::pair<std::array<std::uint8_t, 16>, std::uint8_t>> prefixes;
    for (std::size_t i = 0; i < shaping.subscribers.size(); ++i) {
        const Subscriber& subscriber = shaping.subscribers[i];
        const std::string path = index_path("shaping.subscribers", i);
        if (!names.insert(subscriber.name).second) {
            context.add(path + ".name", quote(subscriber.name) + " is there twice", "rename one");
        }
        if (subscriber.prefixes.empty() && subscriber.vlans.empty()) {
            context.add(path, "no packet is this subscriber's", "add prefixes or vlans");
        }
        for (const std::uint16_t vlan : subscriber.vlans) {
            if (!vlans.insert(vlan).second) {
                context.add(
                    path + ".vlans", std::to_string(vlan) + " is another's", "leave it to one");
            }
        }
        for (const Prefix& prefix : subscriber.prefixes) {
            if (!prefixes.insert({prefix.address, prefix.length}).second) {
                context.add(
                    path + ".prefixes", prefix_text(prefix) + " is another's", "leave it to one");
            }
        }
        for (const ShapedPort& port : shaping.ports) {
            if (subscriber.rate_kbps > port.rate_kbps) {
                context.add(
                    path + ".rate_kbps",
                    std::to_string(subscriber.rate_kbps) + " is more than port " +
                        quote(port.port) + " has (" + std::to_string(port.rate_kbps) + ")",
                    "lower it, or raise the port's");
                break;
            }
        }
    }
    if (shaping.subscribers.size() > kMaxSubscribers) {
        context.add(
            "shaping.subscribers",
            std::to_string(shaping.subscribers.size()) + " subscribers",
            "use at most " + std::to_string(kMaxSubscribers));
    }
}

void check_lengths(Context& context, const Shaping& shaping) {
    const EarlyDetection& red = shaping.red;
    if (red.min_packets != 0 && red.max_packets <= red.min_packets) {
        context.add(
            "shaping.red.max_packets",
            std::to_string(red.max_packets) + " is not more than min_packets",
            "write for instance " + std::to_string(3 * red.min_packets));
    } else if (red.min_packets == 0 && red.max_packets != 0) {
        context.add("shaping.red.max_packets", "set without min_packets", "add min_packets");
    } else if (red.max_packets > shaping.queue_packets) {
        context.add(
            "shaping.red.max_packets",
            std::to_string(red.max_packets) + " is more than shaping.queue_packets",
            "raise queue_packets");
    }
    if ((shaping.subscribers.size() + 1) * shaping.queues.size() * shaping.queue_packets >
        kMostQueuesHeld) {
        context.add(
            "shaping.queue_packets",
            "queues of that length for so many subscribers need too much memory",
            "lower it so that subscribers × queues × queue_packets is at most 8388608");
    }
}

}  // namespace

void check_shaping(Context& context, const Config& config) {
    const Shaping& shaping = config.shaping;
    if (shaping.ports.empty()) {
        return;
    }
    check_ports(context, config);
    check_queues(context, shaping);
    check_subscribers(context, shaping);
    check_lengths(context, shaping);
    if (config.workers.lcores.size() > 1) {
        context.add(
            "shaping.ports",
            "a port's queues belong to one worker, workers.lcores names " +
                std::to_string(config.workers.lcores.size()),
            "use one lcore, or remove shaping");
    }
    const bool known = std::any_of(config.slots.begin(), config.slots.end(), [&](const Slot& slot) {
        return slot.name == shaping.slot;
    });
    if (!known) {
        std::vector<std::string_view> names;
        for (const Slot& slot : config.slots) {
            names.push_back(slot.name);
        }
        context.add("shaping.slot", "no slot " + quote(shaping.slot), suggest(shaping.slot, names));
    }
}

}  // namespace weir::config
