/*
 * sandbox.c: PostgreSQL's side of the wall: limits, errors, memory that is shared out, sources that are kept prepared.
 *
 * 1. The instance is made at the first use in a process and lives as long as that.
 * 2. A prepared source is an image of the engine's memory that differs from the first one in some pages (50 kB or so). The cache has a
 *    bound in bytes; the one that was not used for longest goes first. It is found by the text itself.
 * 3. What all processes use together, beyond what each instance begins with, is one atomic counter in shared memory; without the library
 *    preloaded, each counts for itself. It is given back after each use, also one that ends in an error, and at exit; a crash of the
 *    server empties it.
 * 4. Texts of the guest are checked as any from outside: whether they are UTF-8, and JSON.
 * 5. Between entering and leaving the wall nothing of PostgreSQL's runs but `stop`, `take` and `give`, and its signal handlers. What
 *    ended because of an interrupt is followed by the interrupt's own error.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/settings.h"
#include "base/text.h"
#include "common/hashfn.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "sandbox/sandbox.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

const char *const wf_code_names[WF_CODE_N_NAMES] = {
#define WF_CODE_NAME(symbol, name) name,
	WF_CODE_NAMES(WF_CODE_NAME)
#undef WF_CODE_NAME
};

int
wf_sandbox_find_name(const char *name)
{
	int			i = 0;

	while (i < WF_CODE_N_NAMES && strcmp(wf_code_names[i], name) != 0)
		i++;
	return i;
}

void
wf_sandbox_limits(WfCodeLimits *limits)
{
	limits->time_ms = (WfCodeLimit) {wf_setting_code_time, "The setting \"workflow.code_time\" has the limit."};
	limits->memory_bytes = (WfCodeLimit) {(int64) wf_setting_code_memory * 1024, "The setting \"workflow.code_memory\" has the limit."};
	limits->output_bytes = (WfCodeLimit) {(int64) wf_setting_max_output_size * 1024, "The setting \"workflow.max_output_size\" has the limit."};
	limits->subject = "code";
	limits->log_lines = (WfCodeLimit) {wf_setting_code_log_lines, "The setting \"workflow.code_log_lines\" has the limit."};
}

#ifdef WITHOUT_SANDBOX

#define MISSING "this installation was built without JavaScript"

bool
wf_sandbox_read(const char *source, Size bytes, List **reads, WfCodeProblem *problem)
{
	problem->sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
	problem->message = MISSING;
	problem->line = 0;
	return false;
}

Jsonb *
wf_sandbox_call(const WfCodeCall *call, WfError **error)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg(MISSING)));
	return NULL;
}

int64
wf_sandbox_used_us(void)
{
	return 0;
}

void
wf_sandbox_init(void)
{
}

#else

#include "sandbox/wall.h"

#define SHARED_NAME "workflow_sandbox"
#define CACHE_BYTES (16 * 1024 * 1024)
#define N_BUCKETS 256
#define LOG_LINE_BYTES 1024		/* of each line that may be logged, on average */
#define THROWN_BYTES (1024 * 1024)	/* the guest cuts what was thrown, so that it is never as much */
/* What PostgreSQL leaves of the stack is not used up: its signal handlers run on it. */
#define STACK_SPARE (192 * 1024)
#define STACK_LEAST (256 * 1024)
#define STACK_MOST (6 * 1024 * 1024)

typedef struct Shared
{
	pg_atomic_uint64 used;		/* bytes of linear memory, of all processes */
} Shared;

typedef struct Prepared
{
	dlist_node	in_bucket;
	dlist_node	by_use;			/* the last one used first */
	uint64		hash;
	Size		bytes;
	WfWallImage *image;
	Size		image_bytes;
	char		source[FLEXIBLE_ARRAY_MEMBER];
} Prepared;

static Shared *shared = NULL;
static uint64 used_here = 0;
static bool over_total = false;	/* since it was last asked: all processes together had too much */
static int64 used_us = 0;
static dlist_head buckets[N_BUCKETS];
static dlist_head by_use = DLIST_STATIC_INIT(by_use);
static Size cached_bytes = 0;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

/* -- what the wall asks for -- */

static bool
stop(void)
{
	return QueryCancelPending || ProcDiePending || wf_compat_transaction_timed_out();
}

static bool
take(size_t bytes)
{
	uint64		most = (uint64) wf_setting_code_total_memory * 1024;
	uint64		used = shared == NULL ? used_here + bytes : pg_atomic_add_fetch_u64(&shared->used, bytes);

	if (used > most)
	{
		if (shared != NULL)
			pg_atomic_sub_fetch_u64(&shared->used, bytes);
		over_total = true;
		return false;
	}
	used_here += bytes;
	return true;
}

static void
give(size_t bytes)
{
	used_here -= bytes;
	if (shared != NULL)
		pg_atomic_sub_fetch_u64(&shared->used, bytes);
}

static void
give_at_exit(int code, Datum arg)
{
	if (shared != NULL && used_here > 0)
		pg_atomic_sub_fetch_u64(&shared->used, used_here);
	used_here = 0;
}

static const WfWallHost host = {stop, take, give};

/* -- entering -- */

static void
start(void)
{
	static bool at_exit = false;
	const char *problem;

	if (!at_exit)
	{
		before_shmem_exit(give_at_exit, (Datum) 0);
		at_exit = true;
	}
	problem = wf_wall_start(&host);
	if (problem == NULL)
		return;
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					errmsg("could not start the JavaScript engine: %s", problem),
					errhint("workflow.code_total_memory is what all processes may use together.")));
}

static void
wall_limits(const WfCodeLimits *limits, WfWallLimits *out)
{
	long		most = get_stack_depth_rlimit();
	long		stack = most <= 0 ? STACK_MOST : most - max_stack_depth * 1024L - STACK_SPARE;

	/* Past this check PostgreSQL has used no more of the stack than max_stack_depth. */
	check_stack_depth();
	if (stack < STACK_LEAST)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						errmsg("the stack of this process is too small for code"),
						errhint("The system's limit (ulimit -s) must be at least %ld kB beyond max_stack_depth.",
								(STACK_LEAST + STACK_SPARE) / 1024L)));
	over_total = false;
	out->time_us = limits->time_ms.most * 1000;
	out->memory_bytes = limits->memory_bytes.most;
	out->stack_bytes = Min(stack, STACK_MOST);
	out->log_lines = limits->log_lines.most;
	out->log_bytes = limits->log_lines.most * LOG_LINE_BYTES;
}

/* -- errors -- */

static WfError *
over_memory(const WfCodeLimits *limits)
{
	if (over_total)
		return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, "The setting \"workflow.code_total_memory\" has the limit.",
							 "code of all processes together needs more than %d kB of memory", wf_setting_code_total_memory);
	return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, limits->memory_bytes.hint, "%s needs more than " INT64_FORMAT " kB of memory",
						 limits->subject, limits->memory_bytes.most / 1024);
}

/* A text of the guest's as JSON; NULL when it is none. It may hold anything. It is read right out of the guest's memory: that sleeps. */
static Jsonb *
read_json(const WfWallResult *result)
{
	int			sqlstate;

	if (pg_encoding_verifymbstr(PG_UTF8, result->text, (int) result->text_bytes) != (int) result->text_bytes)
		return NULL;
	return wf_json_try_parse(unconstify(char *, result->text), &sqlstate);
}

/* Did the engine itself throw this, with a message that begins so? */
static bool
is_engines(const JsonbValue *thrown, const char *text)
{
	const char *name = wf_json_get_cstring(thrown, "name");
	const char *message = wf_json_get_cstring(thrown, "message");

	return name != NULL && message != NULL && strcmp(name, "InternalError") == 0 && strncmp(message, text, strlen(text)) == 0;
}

/* Was memory what it lacked? Where none is left for an error, the engine throws null. */
static bool
lacked_memory(const WfWallResult *result, const JsonbValue *thrown)
{
	const char *message = wf_json_get_cstring(thrown, "message");

	return result->memory_refused &&
		(is_engines(thrown, "out of memory") ||
		 (wf_json_get_cstring(thrown, "name") == NULL && message != NULL && strcmp(message, "null") == 0));
}

/* What was thrown without its stack, which is told as the error's detail. */
static Jsonb *
details_of(const JsonbValue *thrown)
{
	static const char *const without[] = {"stack", NULL};
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_members(w, thrown, without);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfError *
thrown_error(const WfWallResult *result, const WfCodeLimits *limits)
{
	Jsonb	   *json = result->text_bytes > THROWN_BYTES ? NULL : read_json(result);
	WfError    *error = palloc0(sizeof(WfError));
	JsonbValue	thrown;
	const char *name;
	const char *message;
	int64		item;

	error->sqlstate = WF_ERRCODE_CODE_THROWN;
	error->code = "WF018";
	if (json != NULL)
		wf_json_root(json, &thrown);
	if (json == NULL || !wf_json_is_object(&thrown))
	{
		error->message = psprintf("the %s threw an error whose text PostgreSQL cannot hold", limits->subject);
		return error;
	}
	if (lacked_memory(result, &thrown))
		return over_memory(limits);
	if (is_engines(&thrown, "stack overflow"))
		return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, "Recursion of this depth needs a loop instead.",
							 "%s calls functions too deeply", limits->subject);
	name = wf_json_get_cstring(&thrown, "name");
	message = wf_json_get_cstring(&thrown, "message");
	item = wf_json_get_int64(&thrown, "item", -1);
	error->message = name == NULL || strcmp(name, "Error") == 0 ? (message != NULL ? message : "undefined") :
		message == NULL || message[0] == '\0' ? name : psprintf("%s: %s", name, message);
	if (item >= 0)
		error->message = psprintf("item " INT64_FORMAT ": %s", item, error->message);
	error->detail = wf_json_get_cstring(&thrown, "stack");
	if (error->detail != NULL && error->detail[0] == '\0')
		error->detail = NULL;
	error->details = palloc(sizeof(JsonbValue));
	wf_json_root(details_of(&thrown), error->details);
	return error;
}

/* What a use that gave no text ended by. */
static WfError *
ended_error(const WfWallResult *result, const WfCodeLimits *limits)
{
	switch (result->end)
	{
		case WF_WALL_OVER_TIME:
			return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, limits->time_ms.hint, "%s takes longer than " INT64_FORMAT " ms",
								 limits->subject, limits->time_ms.most);
		case WF_WALL_OVER_STACK:
			return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, "Recursion of this depth needs a loop instead.",
								 "%s calls functions too deeply", limits->subject);
		case WF_WALL_OVER_LOG:
			return wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT,
								 psprintf("%s A line counts for each %d bytes.", limits->log_lines.hint, LOG_LINE_BYTES),
								 "%s logs more than " INT64_FORMAT " lines", limits->subject, limits->log_lines.most);
		case WF_WALL_STOPPED:
			/* Interrupts are held back: there is no error of theirs. */
			return wf_error_make(ERRCODE_QUERY_CANCELED, NULL, "%s was told to stop", limits->subject);
		case WF_WALL_PENDING:
			return wf_error_make(WF_ERRCODE_CODE_THROWN, "There are no timers and no requests that could settle it.",
								 "the %s waits for a promise that nothing settles", limits->subject);
		case WF_WALL_TRAPPED:
			return wf_error_make(WF_ERRCODE_CODE_THROWN, "What it did is undone; the database is unharmed.",
								 "the JavaScript engine failed: %.*s", (int) result->text_bytes, result->text);
		default:
			return over_memory(limits);
	}
}

/* -- reading -- */

/* [name, member, line]; see guest.c, wf_check. */
static WfCodeRead *
read_of(const JsonbValue *entry)
{
	WfCodeRead *read = palloc0(sizeof(WfCodeRead));
	JsonbValue	part;
	int64		line;

	if (wf_json_element(entry, 0, &part))
		read->name = wf_json_cstring(&part);
	if (read->name != NULL && read->name[0] != '$')
		read->name = NULL;
	if (wf_json_element(entry, 1, &part))
		read->member = wf_json_cstring(&part);
	if (wf_json_element(entry, 2, &part) && wf_json_int64(&part, &line))
		read->line = (int) line;
	return read;
}

static bool
take_reads(const WfWallResult *result, List **reads, WfCodeProblem *problem)
{
	Jsonb	   *json = read_json(result);
	JsonbValue	root;
	JsonbValue	entry;
	WfJsonIter	it;

	if (json != NULL)
		wf_json_root(json, &root);
	if (json == NULL || !wf_json_is_array(&root))
	{
		/* such as a name with a lone surrogate in it */
		problem->sqlstate = WF_ERRCODE_DEFINITION_INVALID;
		problem->message = "the code reads a name that PostgreSQL cannot hold";
		return false;
	}
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, NULL, &entry))
		*reads = lappend(*reads, read_of(&entry));
	return true;
}

static bool
take_problem(const WfWallResult *result, const WfCodeLimits *limits, WfCodeProblem *problem)
{
	WfError    *error = result->end == WF_WALL_THROWN ? thrown_error(result, limits) : ended_error(result, limits);

	problem->sqlstate = error->sqlstate == WF_ERRCODE_CODE_THROWN ? WF_ERRCODE_DEFINITION_INVALID : error->sqlstate;
	problem->message = error->message;
	if (error->details != NULL)
	{
		problem->line = (int) wf_json_get_int64(error->details, "line", 0);
		problem->column = (int) wf_json_get_int64(error->details, "column", 0);
	}
	return false;
}

bool
wf_sandbox_read(const char *source, Size bytes, List **reads, WfCodeProblem *problem)
{
	WfCodeLimits limits;
	WfWallLimits inner;
	WfWallResult result;
	bool		good = false;

	memset(problem, 0, sizeof(*problem));
	*reads = NIL;
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		problem->sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
		problem->message = "code needs a database with the encoding UTF8";
		return false;
	}
	wf_sandbox_limits(&limits);
	wall_limits(&limits, &inner);
	start();
	PG_TRY();
	{
		result = wf_wall_check(source, bytes, &inner);
		CHECK_FOR_INTERRUPTS();
		good = result.end == WF_WALL_DONE ? take_reads(&result, reads, problem) : take_problem(&result, &limits, problem);
	}
	PG_FINALLY();
	{
		wf_wall_rest();
	}
	PG_END_TRY();
	return good;
}

/* -- the cache -- */

static void
drop(Prepared *entry)
{
	dlist_delete(&entry->in_bucket);
	dlist_delete(&entry->by_use);
	cached_bytes -= entry->image_bytes;
	wf_wall_forget(entry->image);
	pfree(entry);
}

/* The prepared source; NULL and `result` when it cannot be prepared. */
static const WfWallImage *
prepared(const WfCodeCall *call, const WfWallLimits *limits, WfWallResult *result)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) call->source, (int) call->bytes, 0);
	dlist_head *bucket = &buckets[hash % N_BUCKETS];
	dlist_iter	it;
	Prepared   *entry;

	if (bucket->head.next == NULL)
		dlist_init(bucket);
	dlist_foreach(it, bucket)
	{
		entry = dlist_container(Prepared, in_bucket, it.cur);
		if (entry->hash == hash && entry->bytes == call->bytes && memcmp(entry->source, call->source, call->bytes) == 0)
		{
			dlist_move_head(&by_use, &entry->by_use);
			return entry->image;
		}
	}
	entry = MemoryContextAlloc(TopMemoryContext, offsetof(Prepared, source) + call->bytes);
	entry->image = wf_wall_prepare(call->source, call->bytes, limits, result);
	used_us += result->used_us;
	if (entry->image == NULL)
	{
		pfree(entry);
		return NULL;
	}
	entry->hash = hash;
	entry->bytes = call->bytes;
	entry->image_bytes = wf_wall_image_bytes(entry->image) + call->bytes;
	memcpy(entry->source, call->source, call->bytes);
	dlist_push_head(bucket, &entry->in_bucket);
	dlist_push_head(&by_use, &entry->by_use);
	cached_bytes += entry->image_bytes;
	return entry->image;
}

/* The bound holds between two calls. An image that is larger was made for one, and takes no other's place. */
static void
trim_cache(void)
{
	if (!dlist_is_empty(&by_use) && dlist_head_element(Prepared, by_use, &by_use)->image_bytes > CACHE_BYTES)
		drop(dlist_head_element(Prepared, by_use, &by_use));
	while (cached_bytes > CACHE_BYTES)
		drop(dlist_tail_element(Prepared, by_use, &by_use));
}

/* -- calling -- */

/* The text with U+FFFD for each byte that is of no character: a lone surrogate has three. */
static const char *
well_formed(const char *text, int bytes)
{
	StringInfoData out;

	initStringInfo(&out);
	while (bytes > 0)
	{
		int			good = pg_encoding_verifymbstr(PG_UTF8, text, bytes);

		appendBinaryStringInfo(&out, text, good);
		text += good;
		bytes -= good;
		if (bytes > 0)
		{
			appendStringInfoString(&out, "\xef\xbf\xbd");
			text++;
			bytes--;
		}
	}
	return out.data;
}

static void
hand_out_log(const WfCodeCall *call, const WfWallResult *result)
{
	const char *line = result->log;

	if (call->log == NULL)
		return;
	for (size_t i = 0; i < result->log_lines; i++)
	{
		int			bytes = (int) strlen(line);

		if (pg_encoding_verifymbstr(PG_UTF8, line, bytes) == bytes)
			call->log(call->arg, line);
		else
			call->log(call->arg, well_formed(line, bytes));
		line += bytes + 1;
	}
}

/* The result of a call as a value. */
static Jsonb *
result_value(const WfWallResult *result, const WfCodeLimits *limits, WfError **error)
{
	Jsonb	   *value;

	if (result->text_bytes > limits->output_bytes.most)
	{
		*error = wf_error_make(WF_ERRCODE_EXPRESSION_LIMIT, limits->output_bytes.hint, "%s gives more than " INT64_FORMAT " bytes",
							   limits->subject, limits->output_bytes.most);
		return NULL;
	}
	value = read_json(result);
	if (value == NULL)
		*error = wf_error_make(WF_ERRCODE_CODE_THROWN, NULL,
							   "the %s gives a value that jsonb cannot hold: a text with U+0000 or a lone surrogate, or too much nesting",
							   limits->subject);
	return value;
}

static Jsonb *
outcome(const WfCodeCall *call, const WfWallResult *result, WfError **error)
{
	hand_out_log(call, result);
	if (result->end == WF_WALL_DONE)
		return result_value(result, call->limits, error);
	*error = result->end == WF_WALL_THROWN ? thrown_error(result, call->limits) : ended_error(result, call->limits);
	return NULL;
}

Jsonb *
wf_sandbox_call(const WfCodeCall *call, WfError **error)
{
	WfWallLimits inner;
	WfWallResult result = {0};
	const WfWallImage *image;
	Jsonb	   *value = NULL;

	*error = NULL;
	wall_limits(call->limits, &inner);
	start();
	PG_TRY();
	{
		image = prepared(call, &inner, &result);
		if (image != NULL)
		{
			result = wf_wall_call(image, call->values, call->values_bytes, call->clock_ms, call->seed,
								  call->each ? WF_WALL_EACH : 0, &inner);
			used_us += result.used_us;
		}
		CHECK_FOR_INTERRUPTS();
		value = outcome(call, &result, error);
	}
	PG_FINALLY();
	{
		trim_cache();
		wf_wall_rest();
	}
	PG_END_TRY();
	return value;
}

int64
wf_sandbox_used_us(void)
{
	return used_us;
}

#ifdef WF_TESTING
uint64
wf_sandbox_used_bytes(void)
{
	return shared == NULL ? used_here : pg_atomic_read_u64(&shared->used);
}
#endif

/* -- shared memory -- */

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
}

static void
startup(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct(SHARED_NAME, sizeof(Shared), &found);
	if (!found)
		pg_atomic_init_u64(&shared->used, 0);
	LWLockRelease(AddinShmemInitLock);
}

void
wf_sandbox_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

#endif
