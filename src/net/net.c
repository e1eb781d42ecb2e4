/*
 * net.c: the loop.
 *
 * 1. A request that is submitted waits in a list. Only wf_net_turn calls libcurl's multi interface.
 * 2. A turn starts waiting requests, fires timers that are due, and tells libcurl of sockets that are ready, each up to the
 *    same number, so that a turn is short however much there is to do. Level-triggered: what is left is found again.
 * 3. After each call of libcurl the messages of that partition are read: hops that are done (finish.c).
 *
 * libcurl resolves names in threads, which inherit the signals that are blocked when they are made: during a turn all
 * are, or a thread would run a handler of this process, which uses what belongs to the process' one thread.
 *
 * A WfNet's memory is below TopMemoryContext, and a callback of the owner's context destroys it: children of a context are gone
 * before its own callback runs, but closing connections needs all of them.
 */
#include "net/internal.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "common/hashfn.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#define MAX_EVENTS 512
/* Descriptors that a process with thousands of connections wants to be allowed. */
#define WANTED_DESCRIPTORS 65536
#define MMAP_BYTES (256 * 1024)
#define HELD_MS 50				/* until it is looked again whether threads have ended, which nobody tells */

/* What the memory context of whoever created it holds. */
typedef struct Owner
{
	WfNet	   *net;			/* NULL: destroyed */
	MemoryContextCallback on_reset;
} Owner;

int64
wf_net_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* -- life -- */

/* Once in a process; never in the postmaster, whose children would share what libcurl and OpenSSL have set up. */
static void
global_init(void)
{
	static bool is_done = false;
	curl_version_info_data *version;

	if (is_done)
		return;
	/* libcurl would write the keys of TLS sessions to the file that this names */
	unsetenv("SSLKEYLOGFILE");
	if (curl_global_init(CURL_GLOBAL_ALL) != 0)
		ereport(ERROR, errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not initialize libcurl"));
	version = curl_version_info(CURLVERSION_NOW);
	if (version->version_num < 0x075800)
		ereport(ERROR, errcode(ERRCODE_SYSTEM_ERROR),
				errmsg("libcurl %s is too old", version->version), errhint("Install libcurl 7.88 or later."));
	if ((version->features & CURL_VERSION_SSL) == 0 || (version->features & CURL_VERSION_ASYNCHDNS) == 0)
		ereport(ERROR, errcode(ERRCODE_SYSTEM_ERROR),
				errmsg("libcurl %s was built without TLS or without asynchronous name resolution", version->version));
	is_done = true;
}

/* The soft limit of descriptors is for programs that use select(), which nothing here does. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= WANTED_DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? WANTED_DESCRIPTORS : Min(limit.rlim_max, WANTED_DESCRIPTORS);
	(void) setrlimit(RLIMIT_NOFILE, &limit);
}

static void
close_everything(WfNet *net)
{
	HASH_SEQ_STATUS all;
	struct
	{
		int64		id;
		WfNetTransfer *t;
	}		   *entry;

	hash_seq_init(&all, net->by_id);
	while ((entry = hash_seq_search(&all)) != NULL)
	{
		if (entry->t == NULL)
			continue;
		wf_net_hop_drop(entry->t);
		wf_net_partition_left(entry->t);
		wf_net_receive_free(entry->t);
	}
	while (!dlist_is_empty(&net->idle))
		wf_net_partition_close(dlist_head_element(WfNetPartition, idle_node, &net->idle));
	Assert(dlist_is_empty(&net->partitions));
	free(net->by_fd);
	close(net->epoll_fd);
	ReleaseExternalFD();
	MemoryContextDelete(net->memory);
}

static void
owner_is_reset(void *arg)
{
	Owner	   *owner = arg;

	if (owner->net != NULL)
		close_everything(owner->net);
	owner->net = NULL;
}

/*
 * Large buffers of answers are to be given back to the system when they are freed: glibc stops that for blocks as large as the
 * largest that was freed so far, and memory then stays at a multiple of what is held.
 */
static void
give_back_large_blocks(void)
{
#ifdef M_MMAP_THRESHOLD
	(void) mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
#endif
}

WfNet *
wf_net_create(const WfNetLimits *limits)
{
	Owner	   *owner = palloc0(sizeof(Owner));
	MemoryContext memory;
	WfNet	   *net;
	HASHCTL		hash = {.keysize = sizeof(int64), .entrysize = sizeof(int64) + sizeof(WfNetTransfer *)};

	global_init();
	raise_descriptor_limit();
	give_back_large_blocks();
	if (!AcquireExternalFD())
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("no descriptor is left for outgoing requests"));
	memory = AllocSetContextCreate(TopMemoryContext, "outgoing requests", ALLOCSET_DEFAULT_SIZES);
	net = MemoryContextAllocZero(memory, sizeof(WfNet));
	net->memory = memory;
	net->owner = &owner->net;
	net->limits = *limits;
	if (net->limits.max_idle_connections <= 0)
		net->limits.max_idle_connections = 100;
	if (net->limits.max_partitions <= 0)
		net->limits.max_partitions = 256;
	if (net->limits.max_threads <= 0)
		net->limits.max_threads = 500;
	if (net->limits.idle_ms <= 0)
		net->limits.idle_ms = 60000;
	if (net->limits.max_buffered_bytes == 0)
		net->limits.max_buffered_bytes = 256 * 1024 * 1024;
	dlist_init(&net->partitions);
	dlist_init(&net->idle);
	dlist_init(&net->waiting);
	dlist_init(&net->finished);
	net->timers.ph_compare = wf_net_partition_compare_timers;
	hash.hcxt = memory;
	net->by_id = hash_create("outgoing requests", 256, &hash, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	hash.keysize = sizeof(uint64);
	hash.entrysize = sizeof(WfNetHolder);
	net->holders = hash_create("holders of answers", 64, &hash, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (net->epoll_fd < 0)
	{
		ReleaseExternalFD();
		MemoryContextDelete(memory);
		ereport(ERROR, errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not create an epoll descriptor: %m"));
	}
	owner->net = net;
	owner->on_reset.func = owner_is_reset;
	owner->on_reset.arg = owner;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &owner->on_reset);
	return net;
}

void
wf_net_destroy(WfNet *net)
{
	*net->owner = NULL;
	close_everything(net);
}

/* -- requests -- */

/* The entry of an id: its transfer, NULL when there is none. */
static WfNetTransfer **
entry_of(WfNet *net, int64 id, HASHACTION action, bool *found)
{
	char	   *entry = hash_search(net->by_id, &id, action, found);

	return entry == NULL ? NULL : (WfNetTransfer **) (entry + sizeof(int64));
}

static WfNetHolder *
holder_of(WfNet *net, const char *name)
{
	uint64		hash = name == NULL ? 0 : hash_bytes_extended((const unsigned char *) name, strlen(name), 0);
	bool		found;
	WfNetHolder *holder = hash_search(net->holders, &hash, HASH_ENTER, &found);

	if (!found)
		holder->n_transfers = holder->buffered_bytes = 0;
	return holder;
}

/*
 * What may throw comes first, in memory that is the caller's until the end: after an error the loop has never heard of the
 * transfer.
 */
void
wf_net_submit(WfNet *net, const WfNetRequest *request)
{
	WfNetTransfer *t = wf_net_transfer_make(net, request);
	MemoryContext old = MemoryContextSwitchTo(t->memory);
	WfNetTransfer **entry;
	bool		found;

	WF_FAULT("net.submit");
	if (!wf_net_request_check(t, &t->message))
		t->outcome = WF_NET_INVALID;
	else if ((t->partition = wf_net_partition_get(net, request)) == NULL)
	{
		t->outcome = WF_NET_OVERLOADED;
		t->message = pstrdup("could not set up connections");
	}
	t->holder = holder_of(net, request->holder);
	entry = entry_of(net, request->id, HASH_ENTER, &found);
	if (found)
		elog(ERROR, "a request with the id " INT64_FORMAT " is in flight already", request->id);
	MemoryContextSwitchTo(old);

	*entry = t;
	net->is_held = false;
	t->holder->n_transfers++;
	net->n_in_flight++;
	MemoryContextSetParent(t->memory, net->memory);
	t->state = t->partition == NULL ? WF_NET_FINISHED : WF_NET_WAITING;
	dlist_push_tail(t->partition == NULL ? &net->finished : &net->waiting, &t->node);
	if (t->partition != NULL)
		wf_net_partition_entered(t);
}

bool
wf_net_cancel(WfNet *net, int64 id)
{
	bool		found;
	WfNetTransfer **entry = entry_of(net, id, HASH_FIND, &found);
	WfNetTransfer *t;

	if (entry == NULL)
		return false;
	t = *entry;
	hash_search(net->by_id, &id, HASH_REMOVE, NULL);
	if (t->state != WF_NET_ACTIVE)
		dlist_delete(&t->node);
	wf_net_hop_drop(t);
	wf_net_partition_left(t);
	wf_net_receive_free(t);
	MemoryContextDelete(t->memory);
	net->n_in_flight--;
	return true;
}

int
wf_net_in_flight(const WfNet *net)
{
	return net->n_in_flight;
}

/* -- waiting -- */

int
wf_net_fd(WfNet *net)
{
	return net->epoll_fd;
}

int
wf_net_timeout_ms(WfNet *net)
{
	int64		next_us = wf_net_partition_next_tidy_us(net);
	int64		wait_us;

	if ((!dlist_is_empty(&net->waiting) && !net->is_held) || !dlist_is_empty(&net->finished))
		return 0;
	if (!dlist_is_empty(&net->waiting))
		next_us = Min(next_us, wf_net_now_us() + HELD_MS * 1000);
	if (!pairingheap_is_empty(&net->timers))
		next_us = Min(next_us, pairingheap_container(WfNetPartition, timer, pairingheap_first(&net->timers))->deadline_us);
	if (next_us == PG_INT64_MAX)
		return -1;
	wait_us = next_us - wf_net_now_us();
	/* Rounded up: a turn that comes too early would find nothing to do, again and again. */
	return wait_us <= 0 ? 0 : (int) Min((wait_us + 999) / 1000, PG_INT32_MAX);
}

/* -- working -- */

/* Hops of the partition that are done. */
static void
read_messages(WfNetPartition *partition)
{
	CURLMsg    *message;
	int			left;
	char	   *private;
	CURLcode	code;

	while ((message = curl_multi_info_read(partition->multi, &left)) != NULL)
	{
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;	/* the message is gone once the handle is removed */
		private = NULL;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		wf_net_hop_done((WfNetTransfer *) private, code);
	}
}

/* Threads of this process; 0: not known. */
static int
count_threads(void)
{
	char		text[4096];
	int			fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t		bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char	   *line;

	if (fd >= 0)
		close(fd);
	if (bytes < 0)
		return 0;
	text[bytes] = '\0';
	line = strstr(text, "\nThreads:");
	return line == NULL ? 0 : atoi(line + 9);
}

/*
 * How many look-ups of names may begin. A thread that looks up a name cannot be stopped: when its transfer gives up, it goes on for
 * as long as the name's servers are silent, and the next transfer makes another.
 */
static int
room_for_names(WfNet *net)
{
	int			threads;

	if (!net->gave_up_names)
		return PG_INT32_MAX;
	threads = count_threads();
	net->gave_up_names = threads > 1;
	return Max(net->limits.max_threads - threads, 0);
}

static void
start_waiting(WfNet *net, int most)
{
	int			names;
	int			n = 0;
	dlist_mutable_iter it;

	if (dlist_is_empty(&net->waiting))
		return;
	names = room_for_names(net);
	net->is_held = true;
	dlist_foreach_modify(it, &net->waiting)
	{
		WfNetTransfer *t = dlist_container(WfNetTransfer, node, it.cur);

		if (n == most)
		{
			net->is_held = false;
			return;
		}
		if (wf_net_hop_needs_name(t) && names-- <= 0)
			continue;
		n++;
		dlist_delete(&t->node);
		t->state = WF_NET_ACTIVE;
		wf_net_hop_start(t);
	}
}

static int
fire_timers(WfNet *net, int most)
{
	int64		now_us = wf_net_now_us();
	int			n = 0;
	int			running;

	for (; n < most && !pairingheap_is_empty(&net->timers); n++)
	{
		WfNetPartition *partition = pairingheap_container(WfNetPartition, timer, pairingheap_first(&net->timers));

		if (partition->deadline_us > now_us)
			break;
		pairingheap_remove(&net->timers, &partition->timer);
		partition->deadline_us = -1;
		curl_multi_socket_action(partition->multi, CURL_SOCKET_TIMEOUT, 0, &running);
		read_messages(partition);
	}
	return n;
}

static int
serve_sockets(WfNet *net, int most)
{
	struct epoll_event events[MAX_EVENTS];
	int			n = epoll_wait(net->epoll_fd, events, Min(most, MAX_EVENTS), 0);
	int			running;

	for (int i = 0; i < n; i++)
	{
		int			fd = events[i].data.fd;
		WfNetPartition *partition = fd < net->by_fd_size ? net->by_fd[fd] : NULL;
		int			what = 0;

		if (partition == NULL)
			continue;			/* closed since */
		if (events[i].events & EPOLLIN)
			what |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			what |= CURL_CSELECT_ERR;
		curl_multi_socket_action(partition->multi, fd, what, &running);
		read_messages(partition);
	}
	return Max(n, 0);
}

bool
wf_net_turn(WfNet *net, int max_events)
{
	int			most = Max(max_events, 1);
	bool		more;
	sigset_t	blocked;
	sigset_t	before;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGSEGV);
	sigdelset(&blocked, SIGBUS);
	sigdelset(&blocked, SIGFPE);
	sigdelset(&blocked, SIGILL);
	sigdelset(&blocked, SIGABRT);
	sigdelset(&blocked, SIGTRAP);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	PG_TRY();
	{
		start_waiting(net, most);
		more = fire_timers(net, most) == most;
		more |= serve_sockets(net, most) == Min(most, MAX_EVENTS);
		wf_net_partition_tidy(net, wf_net_now_us());
	}
	PG_FINALLY();
	{
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	PG_END_TRY();
	return more || (!dlist_is_empty(&net->waiting) && !net->is_held);
}
