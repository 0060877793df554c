// SPDX-License-Identifier: BSD-3-Clause
#include "control/control_thread.h"

#include <algorithm>
#include <exception>

#include <pthread.h>
#include <sched.h>
#include <spdlog/spdlog.h>

namespace weir::control {

bool pin_this_thread(const std::vector<std::uint32_t>& cpus) noexcept {
    if (cpus.empty()) {
        return true;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const auto cpu : cpus) {
        if (cpu < CPU_SETSIZE) {
            CPU_SET(cpu, &set);
        }
    }
    return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

std::vector<std::uint32_t> cpus_without(const std::vector<std::uint32_t>& workers) {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<std::uint32_t> all;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &set)) {
                all.push_back(cpu);
            }
        }
    }
    std::vector<std::uint32_t> rest;
    std::copy_if(all.begin(), all.end(), std::back_inserter(rest), [&](std::uint32_t cpu) {
        return std::find(workers.begin(), workers.end(), cpu) == workers.end();
    });
    return rest.empty() ? all : rest;
}

namespace {

void run_guarded(const std::string& thread, const ControlThread::Task& task) {
    try {
        task();
    } catch (const std::exception& e) {
        spdlog::error("{}: a task threw: {}", thread, e.what());
    }
}

}  // namespace

ControlThread::ControlThread(Options options) : options_(std::move(options)) {
    due_.reserve(options_.periodic.size());
    for (const auto& periodic : options_.periodic) {
        due_.push_back(Clock::now() + periodic.period);
    }
    thread_ = std::thread([this] { run(); });
}

ControlThread::~ControlThread() {
    stop();
}

bool ControlThread::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) {
            return false;
        }
        if (queue_.size() >= options_.queue_capacity) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return true;
}

void ControlThread::stop() {
    const std::lock_guard once(stop_mutex_);
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::size_t ControlThread::queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

void ControlThread::run() {
    pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
    if (!pin_this_thread(options_.cpus)) {
        spdlog::warn(
            "{}: cannot be kept off the workers' CPUs: the process may not run there",
            options_.name);
    }
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto ready = [this] { return stopping_ || !queue_.empty(); };
        if (due_.empty()) {
            wake_.wait(lock, ready);
        } else {
            wake_.wait_until(lock, next_due(), ready);
        }
        if (!queue_.empty()) {
            Task task = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            run_guarded(options_.name, task);
            task = nullptr;  // what it holds goes outside of the lock
            lock.lock();
        } else if (stopping_) {
            return;
        }
        lock.unlock();
        run_due(Clock::now());
        lock.lock();
    }
}

void ControlThread::run_due(Clock::time_point now) {
    for (std::size_t i = 0; i < due_.size(); ++i) {
        if (now < due_[i]) {
            continue;
        }
        run_guarded(options_.name, options_.periodic[i].task);
        // Missed turns are not made up for.
        due_[i] = std::max(due_[i] + options_.periodic[i].period, now);
    }
}

ControlThread::Clock::time_point ControlThread::next_due() const {
    return *std::min_element(due_.begin(), due_.end());
}

}  // namespace weir::control
