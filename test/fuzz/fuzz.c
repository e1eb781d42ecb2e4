/*
 * fuzz.c: libFuzzer inside a backend. What is done with an input is in pure.c and database.c.
 *
 * wf_sql_test_fuzz(target text, arguments text[]) gives the process to libFuzzer, which calls one_input
 * with what it makes of a corpus and ends the process when its time is up. Every input runs in a memory
 * context of its own that is reset after it; a target that touches the database runs in a
 * subtransaction that is rolled back. An ERROR is an answer like any other, unless it says that
 * something cannot happen (XX000, XX001), that memory is short, or that the input took more than
 * HANG_SECONDS: these, whatever the sanitizers find, and a broken promise (`must`) end the process, and
 * libFuzzer keeps the input.
 *
 * JSON inputs are changed as JSON (mutate.c), others as bytes. Text that is no UTF-8 is made so, as
 * nothing else gets past the server's input functions.
 *
 * What is promised besides: a result is well-formed jsonb that reads back as itself; the current user,
 * search_path and the timer are as before; memory outside the input's context does not grow.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#define HANG_SECONDS		20
#define SETTLE_INPUTS		20000	/* caches are filled by then */
#define GROWTH_BYTES		(8 * 1024 * 1024)

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one_input) (const uint8_t *data, size_t size));

static const WfFuzzTarget *target;
static MemoryContext input_memory;

/* Ends the process; libFuzzer and AddressSanitizer then say which input it was. */
void
wf_fuzz_broken(const char *what)
{
	fprintf(stderr, "FUZZ: %s: %s\n", target->name, what);
	abort();
}

void
wf_fuzz_must(bool holds, const char *what)
{
	if (!holds)
		wf_fuzz_broken(what);
}

/* Warnings of the server that something was left behind are findings; others are not logged. */
static void
judge_log(ErrorData *error)
{
	static const char *const left[] = {"leak", "not closed", "not released", "non-empty SPI stack", "alloc set", "own a lock"};

	if (error->elevel != WARNING)
		return;
	error->output_to_server = false;
	for (int i = 0; i < lengthof(left); i++)
		if (strstr(error->message, left[i]) != NULL && error->sqlerrcode == ERRCODE_WARNING)
		{
			fprintf(stderr, "FUZZ: warning: %s\n", error->message);
			wf_fuzz_broken("something was left behind");
		}
}

/* -- one input -- */

/* NUL and broken UTF-8 become question marks. */
static char *
clean_text(const uint8_t *data, size_t size, int *len)
{
	char	   *text = palloc(size + 1);

	for (size_t i = 0; i < size;)
	{
		int			n = pg_utf_mblen(data + i);

		if (data[i] == '\0' || i + n > size || !pg_utf8_islegal(data + i, n))
		{
			text[i++] = '?';
			continue;
		}
		memcpy(text + i, data + i, n);
		i += n;
	}
	text[size] = '\0';
	*len = (int) size;
	return text;
}

/* Takes the error that is current and dies of it when it is none that an input may cause. */
static void
judge_error(void)
{
	ErrorData  *error;

	MemoryContextSwitchTo(input_memory);
	error = CopyErrorData();
	FlushErrorState();
	if (error->sqlerrcode == ERRCODE_INTERNAL_ERROR || error->sqlerrcode == ERRCODE_DATA_CORRUPTED ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		fprintf(stderr, "FUZZ: %s at %s:%d: %s\n", unpack_sql_state(error->sqlerrcode), error->filename, error->lineno,
				error->message);
		wf_fuzz_broken("an error that cannot be");
	}
}

static void
run_in_transaction(char *text, int len)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(memory);
		target->run(text, len);
	}
	PG_CATCH();
	{
		judge_error();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
}

static void
run_alone(char *text, int len)
{
	PG_TRY();
	{
		target->run(text, len);
	}
	PG_CATCH();
	{
		judge_error();
	}
	PG_END_TRY();
}

static void
watch_memory(void)
{
	static Size settled = 0;
	static int	inputs = 0;
	Size		now;

	if (++inputs % SETTLE_INPUTS != 0)
		return;
	now = MemoryContextMemAllocated(TopMemoryContext, true);
	if (settled == 0)
		settled = now;
	else if (now > settled + GROWTH_BYTES)
	{
		fprintf(stderr, "FUZZ: from %zu to %zu bytes\n", settled, now);
		wf_fuzz_broken("memory grows");
	}
}

static int
one_input(const uint8_t *data, size_t size)
{
	MemoryContext old = MemoryContextSwitchTo(input_memory);
	int			len;
	char	   *text = clean_text(data, size, &len);

	CHECK_FOR_INTERRUPTS();
	enable_timeout_after(STATEMENT_TIMEOUT, HANG_SECONDS * 1000);
	if (target->transaction)
		run_in_transaction(text, len);
	else
		run_alone(text, len);
	wf_fuzz_must(get_timeout_active(STATEMENT_TIMEOUT), "the timer was not restored");
	disable_timeout(STATEMENT_TIMEOUT, false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(input_memory);
	watch_memory();
	return 0;
}

bool
wf_fuzz_wants_json(void)
{
	return target->json;
}

bool
wf_fuzz_wants_programs(void)
{
	return target->program;
}

/* -- SQL -- */

static const WfFuzzTarget *
find(const WfFuzzTarget *list, const char *name)
{
	for (; list->name != NULL; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

PGDLLEXPORT Datum wf_sql_test_fuzz(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_fuzz);

/* (target text, arguments text[]): does not return; the process ends. */
Datum
wf_sql_test_fuzz(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *given;
	int			n;
	char	  **argv;
	int			argc = 1;

	target = find(wf_fuzz_pure, name);
	if (target == NULL && wf_fuzz_database != NULL)
		target = find(wf_fuzz_database, name);
	if (target == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown target \"%s\"", name)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &given, NULL, &n);
	argv = palloc0(sizeof(char *) * (n + 2));
	argv[0] = "fuzz";
	for (int i = 0; i < n; i++)
		argv[argc++] = TextDatumGetCString(given[i]);
	wf_fuzz_begin();
	input_memory = AllocSetContextCreate(CurrentMemoryContext, "fuzz input", ALLOCSET_DEFAULT_SIZES);
	emit_log_hook = judge_log;
	LLVMFuzzerRunDriver(&argc, &argv, one_input);
	exit(0);
}
