/*
 * partition.c: who shares connections with whom.
 *
 * A partition is a CURLM of its own. A pool of connections, a cache of TLS sessions and a cache of names belong to a CURLM (of
 * TLS sessions in libcurl before 8.12: to a handle, and handles stay in their partition), so what is in one
 * partition cannot be found from another, whatever libcurl compares or forgets to compare. The key of a partition is all that must
 * be equal: what the caller says (tenant, credential), the text of the policy, so that a connection that was checked once is
 * only used again where the same rules hold, the CA file, and the client's certificate and key.
 *
 * All sockets of all partitions are in one epoll descriptor; by_fd says whose a descriptor is. libcurl asks for one
 * timer for each CURLM; those are in a heap.
 *
 * The two callbacks here run within libcurl, and throw nothing.
 */
#include "net/internal.h"

#include <errno.h>
#include <sys/epoll.h>

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

/* Handles kept for reuse, of a partition. */
#define MAX_SPARE 256

/* -- callbacks -- */

/* Makes room for the descriptor in by_fd. */
static bool
by_fd_covers(WfNet *net, int fd)
{
	int			size = Max(net->by_fd_size, 256);
	WfNetPartition **bigger;

	while (size <= fd)
		size *= 2;
	if (size == net->by_fd_size)
		return true;
	bigger = realloc(net->by_fd, sizeof(WfNetPartition *) * size);
	if (bigger == NULL)
		return false;
	memset(bigger + net->by_fd_size, 0, sizeof(WfNetPartition *) * (size - net->by_fd_size));
	net->by_fd = bigger;
	net->by_fd_size = size;
	return true;
}

/* libcurl: wait for this of that socket. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	WfNetPartition *partition = arg;
	WfNet	   *net = partition->net;
	struct epoll_event event = {.data.fd = fd};
	bool		is_known;

	if (fd < 0 || !by_fd_covers(net, fd))
		return -1;
	is_known = net->by_fd[fd] == partition;
	if (what == CURL_POLL_REMOVE)
	{
		if (is_known)
		{
			net->by_fd[fd] = NULL;
			(void) epoll_ctl(net->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		}
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	net->by_fd[fd] = partition;
	/* A descriptor may have been closed, and given out again, without a word. */
	if (epoll_ctl(net->epoll_fd, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	if (errno == ENOENT || errno == EEXIST)
		return epoll_ctl(net->epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : -1;
	return -1;
}

/* libcurl: call me in so many milliseconds, at the earliest; -1: no more. */
static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	WfNetPartition *partition = arg;

	if (partition->deadline_us >= 0)
		pairingheap_remove(&partition->net->timers, &partition->timer);
	partition->deadline_us = -1;
	if (timeout_ms >= 0)
	{
		partition->deadline_us = wf_net_now_us() + (int64) timeout_ms * 1000;
		pairingheap_add(&partition->net->timers, &partition->timer);
	}
	return 0;
}

/* The earliest first. */
int
wf_net_partition_compare_timers(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	int64		deadline_a = pairingheap_const_container(WfNetPartition, timer, a)->deadline_us;
	int64		deadline_b = pairingheap_const_container(WfNetPartition, timer, b)->deadline_us;

	return deadline_a < deadline_b ? 1 : deadline_a > deadline_b ? -1 : 0;
}

/* -- finding and making -- */

static void
put_text(StringInfo key, const char *text)
{
	uint32		bytes = text == NULL ? PG_UINT32_MAX : strlen(text);

	appendBinaryStringInfo(key, (const char *) &bytes, sizeof(bytes));
	if (text != NULL)
		appendBinaryStringInfo(key, text, bytes);
}

static void
make_key(StringInfo key, const WfNetRequest *request)
{
	const WfNetRules *rules = request->policy == NULL ? NULL : wf_net_policy_rules(request->policy);

	initStringInfo(key);
	put_text(key, request->kind == WF_NET_MAIL ? "mail" : "http");
	put_text(key, request->partition);
	put_text(key, rules == NULL ? NULL : rules->allow);
	put_text(key, rules == NULL ? NULL : rules->deny);
	put_text(key, rules == NULL ? NULL : rules->tenant_allow);
	put_text(key, rules == NULL ? NULL : rules->tenant_deny);
	put_text(key, request->ca_file);
	put_text(key, request->client_cert_pem);
	put_text(key, request->client_key_pem);
	put_text(key, request->client_key_password);
}

static WfNetPartition *
make_partition(WfNet *net, const WfNetRequest *request, const StringInfoData *key, uint32 hash)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "connections", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfNetPartition *partition = palloc0(sizeof(WfNetPartition));
	char	   *problem;

	partition->net = net;
	partition->memory = memory;
	partition->key = palloc(key->len);
	memcpy(partition->key, key->data, key->len);
	partition->key_bytes = key->len;
	partition->key_hash = hash;
	partition->deadline_us = -1;
	if (request->policy != NULL)
		partition->policy = wf_net_policy_create(wf_net_policy_rules(request->policy), &problem);
	partition->spare = palloc(sizeof(CURL *) * MAX_SPARE);
	MemoryContextSwitchTo(old);
	if (request->policy != NULL && partition->policy == NULL)
		elog(ERROR, "a compiled policy does not compile again");

	partition->multi = curl_multi_init();
	if (partition->multi == NULL)
	{
		MemoryContextDelete(memory);
		return NULL;
	}
	partition->connects_allowed = net->limits.max_idle_connections;
	curl_multi_setopt(partition->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(partition->multi, CURLMOPT_SOCKETDATA, partition);
	curl_multi_setopt(partition->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(partition->multi, CURLMOPT_TIMERDATA, partition);
	curl_multi_setopt(partition->multi, CURLMOPT_MAXCONNECTS, (long) partition->connects_allowed);
	MemoryContextSetParent(memory, net->memory);
	dlist_push_head(&net->partitions, &partition->node);
	dlist_push_tail(&net->idle, &partition->idle_node);
	net->n_idle++;
	partition->idle_since_us = wf_net_now_us();
	return partition;
}

/* The partition of the request; NULL for lack of memory or descriptors. */
WfNetPartition *
wf_net_partition_get(WfNet *net, const WfNetRequest *request)
{
	StringInfoData key;
	uint32		hash;
	dlist_iter	iter;
	WfNetPartition *found = NULL;

	make_key(&key, request);
	hash = hash_bytes((unsigned char *) key.data, key.len);
	dlist_foreach(iter, &net->partitions)
	{
		WfNetPartition *partition = dlist_container(WfNetPartition, node, iter.cur);

		if (partition->key_hash == hash && partition->key_bytes == key.len &&
			memcmp(partition->key, key.data, key.len) == 0)
		{
			found = partition;
			break;
		}
	}
	if (found != NULL)
		dlist_move_head(&net->partitions, &found->node);
	else
		found = make_partition(net, request, &key, hash);
	explicit_bzero(key.data, key.len);
	pfree(key.data);
	return found;
}

/* Closes all connections; no transfer is in it. */
void
wf_net_partition_close(WfNetPartition *partition)
{
	WfNet	   *net = partition->net;

	Assert(partition->n_users == 0);
	for (int i = 0; i < partition->n_spare; i++)
		curl_easy_cleanup(partition->spare[i]);
	curl_multi_cleanup(partition->multi);
	if (partition->deadline_us >= 0)
		pairingheap_remove(&net->timers, &partition->timer);
	for (int fd = 0; fd < net->by_fd_size; fd++)
		if (net->by_fd[fd] == partition)
			net->by_fd[fd] = NULL;
	dlist_delete(&partition->node);
	dlist_delete(&partition->idle_node);
	net->n_idle--;
	explicit_bzero(partition->key, partition->key_bytes);
	MemoryContextDelete(partition->memory);
}

/* -- handles -- */

/* A handle without any options; NULL for lack of memory. */
CURL *
wf_net_partition_handle(WfNetPartition *partition)
{
	return partition->n_spare > 0 ? partition->spare[--partition->n_spare] : curl_easy_init();
}

void
wf_net_partition_handle_back(WfNetPartition *partition, CURL *easy)
{
	if (partition->n_spare == MAX_SPARE)
	{
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	partition->spare[partition->n_spare++] = easy;
}

/*
 * The transfer is going to use its partition, which stays until it has left. The pool counts connections in use, too, and
 * closes one whenever it is over its size: the size follows the number of transfers.
 */
void
wf_net_partition_entered(WfNetTransfer *t)
{
	WfNetPartition *partition = t->partition;

	if (partition->n_users++ == 0)
	{
		dlist_delete(&partition->idle_node);
		partition->net->n_idle--;
	}
	if (partition->n_users > partition->connects_allowed)
	{
		partition->connects_allowed = partition->n_users + partition->n_users / 4;
		curl_multi_setopt(partition->multi, CURLMOPT_MAXCONNECTS, (long) partition->connects_allowed);
	}
}

/* It will not, any more. Throws nothing. */
void
wf_net_partition_left(WfNetTransfer *t)
{
	WfNetPartition *partition = t->partition;
	WfNet	   *net = t->net;

	t->partition = NULL;
	if (partition == NULL || --partition->n_users > 0)
		return;
	partition->idle_since_us = wf_net_now_us();
	dlist_push_tail(&net->idle, &partition->idle_node);
	net->n_idle++;
	if (partition->connects_allowed > net->limits.max_idle_connections)
	{
		partition->connects_allowed = net->limits.max_idle_connections;
		curl_multi_setopt(partition->multi, CURLMOPT_MAXCONNECTS, (long) partition->connects_allowed);
	}
}

static uint32
origin_hash(const WfNetTransfer *t)
{
	return (hash_bytes((const unsigned char *) t->host, strlen(t->host)) ^ t->port) | 1;
}

/*
 * Has the host of the hop spoken HTTP/2 here? Then a request waits for a connection that is being made rather than make
 * another. Of an unknown host it does not: all would wait for one that hangs.
 */
bool
wf_net_partition_multiplexes(const WfNetTransfer *t)
{
	uint32		hash = origin_hash(t);

	for (int i = 0; i < WF_NET_MULTIPLEXED; i++)
		if (t->partition->multiplexed[i] == hash)
			return true;
	return false;
}

/* It has. */
void
wf_net_partition_multiplexed(const WfNetTransfer *t)
{
	WfNetPartition *partition = t->partition;

	if (wf_net_partition_multiplexes(t))
		return;
	partition->multiplexed[partition->next_multiplexed] = origin_hash(t);
	partition->next_multiplexed = (partition->next_multiplexed + 1) % WF_NET_MULTIPLEXED;
}

/* Closes partitions that are idle for too long, are too many, or hold descriptors that others lack. */
void
wf_net_partition_tidy(WfNet *net, int64 now_us)
{
	while (!dlist_is_empty(&net->idle))
	{
		WfNetPartition *oldest = dlist_head_element(WfNetPartition, idle_node, &net->idle);

		if (net->n_idle <= net->limits.max_partitions && !net->no_descriptor &&
			oldest->idle_since_us + (int64) net->limits.idle_ms * 1000 > now_us)
			break;
		wf_net_partition_close(oldest);
	}
	net->no_descriptor = false;
}

/* When there is something to tidy; PG_INT64_MAX: never. */
int64
wf_net_partition_next_tidy_us(WfNet *net)
{
	if (dlist_is_empty(&net->idle))
		return PG_INT64_MAX;
	return dlist_head_element(WfNetPartition, idle_node, &net->idle)->idle_since_us + (int64) net->limits.idle_ms * 1000;
}
