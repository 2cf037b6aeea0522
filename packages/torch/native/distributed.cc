#include "distributed.h"

#include <c10/util/Logging.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "boundary.h"
#include "env.h"
#include "group.h"
#include "handles.h"
#include "later.h"
#include "reducer.h"
#include "sync_batch_norm.h"

namespace shallows {
namespace {

// What one environment holds.
struct Distributed {
  HandleTable<std::shared_ptr<Group>> groups;
  HandleTable<std::shared_ptr<Pending>> works;
  HandleTable<std::shared_ptr<Reducer>> reducers;

  static Distributed& of(const Napi::CallbackInfo& info) { return *static_cast<Distributed*>(info.Data()); }
};

double number(const Napi::CallbackInfo& info, size_t index) { return info[index].ToNumber().DoubleValue(); }

template <typename T>
T& found(HandleTable<T>& table, double handle, const char* what) {
  T* value = table.find(handle);
  TORCH_CHECK(value != nullptr, "expected an open ", what, ", got one that was closed - make another");
  return *value;
}

std::shared_ptr<Group> groupOf(const Napi::CallbackInfo& info) {
  return found(Distributed::of(info).groups, number(info, 0), "process group");
}

std::shared_ptr<Reducer> reducerOf(const Napi::CallbackInfo& info) {
  return found(Distributed::of(info).reducers, number(info, 0), "reducer");
}

const at::Tensor& tensorOf(const Napi::CallbackInfo& info, size_t index) {
  return EnvData::of(info.Env()).tensor(number(info, index));
}

Napi::Value workOf(const Napi::CallbackInfo& info, std::shared_ptr<Pending> pending) {
  return Napi::Number::New(info.Env(), Distributed::of(info).works.add(std::move(pending)));
}

// Makes a group on a thread of its own and gives its handle.
Napi::Value makeGroup(const Napi::CallbackInfo& info, const char* where, std::function<std::shared_ptr<Group>()> make) {
  auto* all = &Distributed::of(info);
  return inThread(info.Env(), where, [all, make = std::move(make)]() -> Keep {
    return [all, group = make()](Napi::Env env) -> Napi::Value {
      return Napi::Number::New(env, all->groups.add(group));
    };
  });
}

// libtorch writes a stack of calls to stderr for each connection that breaks. Errors say what there is to say; who wants
// more sets the variable.
void quietLog() {
#ifndef C10_USE_GLOG
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
#endif
}

// connect({ rank, size, host, port, outside, timeoutMs, address, prefix, backend }): a promise of a group's handle.
Napi::Value connect(const Napi::CallbackInfo& info) {
  quietLog();
  const auto given = info[0].As<Napi::Object>();
  const auto text = [&](const char* name) { return given.Get(name).ToString().Utf8Value(); };
  const auto whole = [&](const char* name) { return given.Get(name).ToNumber().Int64Value(); };
  const HubOptions options{static_cast<int>(whole("rank")),
                           static_cast<int>(whole("size")),
                           text("host"),
                           static_cast<uint16_t>(whole("port")),
                           given.Get("outside").ToBoolean().Value(),
                           std::chrono::milliseconds(whole("timeoutMs")),
                           text("address"),
                           text("prefix")};
  return makeGroup(info, "initProcessGroup", [options, backend = text("backend")] {
    return Group::make(Hub::connect(options), backend, "group");
  });
}

// newGroup(group, name, backend): a promise of the handle of another one of the same ranks, with an order of its own.
Napi::Value newGroup(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "newGroup", [&] {
    const std::string name = info[1].ToString().Utf8Value();
    const std::string backend = info[2].ToString().Utf8Value();
    return makeGroup(info, "newGroup", [group = groupOf(info), name, backend] {
      return Group::make(group->hub(), backend, name);
    });
  });
}

Napi::Value groupId(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "group", [&] {
    return Napi::Number::New(info.Env(), static_cast<double>(groupOf(info)->id()));
  });
}

// allReduce(group, tensors, reduction): a work's handle.
Napi::Value allReduce(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "allReduce", [&] {
    const auto reduction = static_cast<Reduction>(info[2].ToNumber().Int32Value());
    return workOf(info, groupOf(info)->allReduce({"allReduce"}, tensorsOf(info, 1), reduction));
  });
}

Napi::Value broadcast(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "broadcast", [&] {
    return workOf(info, groupOf(info)->broadcast(tensorsOf(info, 1), info[2].ToNumber().Int32Value()));
  });
}

Napi::Value allGather(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "allGather", [&] {
    return workOf(info, groupOf(info)->allGather(tensorsOf(info, 1), tensorOf(info, 2)));
  });
}

Napi::Value reduceScatter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "reduceScatter", [&] {
    const auto reduction = static_cast<Reduction>(info[3].ToNumber().Int32Value());
    return workOf(info, groupOf(info)->reduceScatter(tensorOf(info, 1), tensorsOf(info, 2), reduction));
  });
}

Napi::Value barrier(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "barrier", [&] { return workOf(info, groupOf(info)->barrier()); });
}

// Takes the operation out of the table: its result can be had once.
std::shared_ptr<Pending> takeWork(const Napi::CallbackInfo& info) {
  auto& works = Distributed::of(info).works;
  auto pending = found(works, number(info, 0), "work");
  works.remove(number(info, 0));
  return pending;
}

// whenDone(work): a promise.
Napi::Value whenDone(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "wait", [&] {
    auto pending = takeWork(info);
    const Later later(info.Env(), pending->what());
    // Each holds the other until it is over.
    pending->whenDone([later, pending] {
      later.settle([pending](Napi::Env env) -> Napi::Value {
        pending->settle();
        return env.Undefined();
      });
    });
    return later.promise();
  });
}

// waitSync(work): blocks.
Napi::Value waitSync(const Napi::CallbackInfo& info) {
  auto pending = std::shared_ptr<Pending>();
  guarded(info.Env(), "waitSync", [&] {
    pending = takeWork(info);
    return info.Env().Undefined();
  });
  return guarded(info.Env(), pending->what().c_str(), [&] {
    pending->wait();
    return info.Env().Undefined();
  });
}

Napi::Value isDone(const Napi::CallbackInfo& info) {
  auto* work = Distributed::of(info).works.find(number(info, 0));
  return Napi::Boolean::New(info.Env(), work == nullptr || (*work)->isDone());
}

Napi::Value forget(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Distributed::of(info).works.remove(number(info, 0)));
}

// abort(group, reason): a promise of nothing, kept when other ranks can know.
Napi::Value abort(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "abort", [&] {
    return inThread(info.Env(), "abort", [hub = groupOf(info)->hub(), reason = info[1].ToString().Utf8Value()]() -> Keep {
      hub->abort(reason);
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

// close(group, goodbye): a promise of nothing. A goodbye ends the part of this rank in all groups of its store.
Napi::Value close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "close", [&] {
    auto group = groupOf(info);
    Distributed::of(info).groups.remove(number(info, 0));
    const bool goodbye = info[1].ToBoolean().Value();
    return inThread(info.Env(), "close", [group = std::move(group), goodbye]() mutable -> Keep {
      if (goodbye) group->hub()->close();
      group.reset();
      return [](Napi::Env env) { return env.Undefined(); };
    });
  });
}

// reducer(group, parameters, names, bucketBytes, firstBucketBytes): a handle. Names may be an empty list.
Napi::Value makeReducer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "reducer", [&] {
    std::vector<std::string> names;
    const auto given = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < given.Length(); ++i) names.push_back(given.Get(i).ToString().Utf8Value());
    auto made = std::make_shared<Reducer>(groupOf(info), tensorsOf(info, 1), std::move(names),
                                          info[3].ToNumber().Int64Value(), info[4].ToNumber().Int64Value());
    return Napi::Number::New(info.Env(), Distributed::of(info).reducers.add(std::move(made)));
  });
}

// beginStep(reducer, a byte a parameter)
Napi::Value beginStep(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "beginStep", [&] {
    TORCH_CHECK(info[1].IsTypedArray(), "internal: expected bytes");
    const auto bytes = info[1].As<Napi::Uint8Array>();
    std::vector<Expected> expected;
    for (size_t i = 0; i < bytes.ElementLength(); ++i) {
      TORCH_CHECK(bytes[i] <= 2, "internal: expected 0, 1 or 2");
      expected.push_back(static_cast<Expected>(bytes[i]));
    }
    reducerOf(info)->begin(expected);
    return info.Env().Undefined();
  });
}

Napi::Value finishStep(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "finishStep", [&] {
    reducerOf(info)->finish();
    return info.Env().Undefined();
  });
}

// reduced(reducer): [bytes of all steps, buckets of the last one]
Napi::Value reduced(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "reducer", [&] {
    const auto reducer = reducerOf(info);
    auto result = Napi::Float64Array::New(info.Env(), 2);
    result[0] = static_cast<double>(reducer->bytes());
    result[1] = static_cast<double>(reducer->buckets());
    return result;
  });
}

Napi::Value disposeReducer(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Distributed::of(info).reducers.remove(number(info, 0)));
}

Napi::Value backends(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  names.Set(uint32_t{0}, "gloo");
#ifdef SHALLOWS_NCCL
  names.Set(uint32_t{1}, "nccl");
#endif
  return names;
}

}  // namespace

void registerDistributed(Napi::Env env, Napi::Object exports) {
  registerSyncBatchNorm();
  auto* all = new Distributed();
  // Groups are left before the environment is gone.
  env.AddCleanupHook([](Distributed* each) { delete each; }, all);
  Napi::Object object = Napi::Object::New(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    object.Set(name, Napi::Function::New(env, function, name, all));
  };
  add("backends", backends);
  add("connect", connect);
  add("newGroup", newGroup);
  add("groupId", groupId);
  add("allReduce", allReduce);
  add("broadcast", broadcast);
  add("allGather", allGather);
  add("reduceScatter", reduceScatter);
  add("barrier", barrier);
  add("whenDone", whenDone);
  add("waitSync", waitSync);
  add("isDone", isDone);
  add("forget", forget);
  add("abort", abort);
  add("close", close);
  add("reducer", makeReducer);
  add("beginStep", beginStep);
  add("finishStep", finishStep);
  add("reduced", reduced);
  add("disposeReducer", disposeReducer);
  exports.Set("distributed", object);
}

}  // namespace shallows
