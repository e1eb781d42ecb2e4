/*
 * wall.c: the host of the WebAssembly guest: its memory, its clock and log, its limits, its end.
 *
 * The guest is C again, made by wasm2c: every access to its memory is checked against the memory's size, every indirect call against
 * the type of what it calls. So a memory error in the JavaScript engine damages the engine's own memory or ends in a trap.
 *
 *  1. Memory. A range of addresses is reserved once, and made accessible as the guest grows. Before each use it is put back to an image:
 *     pages that the image has are copied, others are zeroed, and what lies beyond is given back. Nothing of an earlier
 *     use, perhaps another tenant's, is left.
 *  2. Leaving. A use ends by siglongjmp to where it began: from a trap, from a host function that will not go on, or from the timer's
 *     signal. The last needs care, since a jump out of another signal handler, or of the C library, would leave them in the middle. So
 *     the handler looks where the process was interrupted and jumps from the guest's own code alone (it lies in a section of its own);
 *     else the next function of the guest's that begins is made to leave (3), if the next tick does not come first. (Newer compilers
 *     leave copies to the C library, and code may do little else.) The guest calls nothing but the host functions here, and memory
 *     and floating-point functions that take no lock. A handler of another signal that came first is always the one that was interrupted, and one that comes
 *     later is over before the jump; no signal is blocked meanwhile, so there is no mask to put back. (test/t/code_cancel.pl)
 *  3. Stack. The guest's stack of C frames is the process's. Each function begins with a look at how deep it is.
 *  4. The timer ticks only while the guest is at work, and is this process's main thread's. So is the handler of its signal: what another
 *     library has in that place is put back.
 *
 * Nothing here knows PostgreSQL: it may neither throw nor be thrown through. What is shared with it are flags (WfWallHost).
 *
 * wasm2c's interface differs by its version; see names.h, which build.sh writes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sandbox/wall.h"

#ifdef POSTGRES_H
#error "PostgreSQL is not to be seen from within the wall"
#endif

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "names.h"
#include "guest.h"

#define WASM_PAGE 65536
#define PAGE 4096
#define RESERVED ((size_t) 1 << 30)	/* the most that a limit can allow */
#define TICK_NS 2000000
#define TIMER_SIGNAL SIGVTALRM
/* The guest's own stack is at the bottom of its memory. Its top is nearly always used, the rest seldom. */
#define GUEST_STACK (2048 * 1024)
#define STACK_TOP (16 * 1024)
/* What QuickJS may use of it before it throws; the rest is for functions that do not ask. */
#define GUEST_STACK_LIMIT (GUEST_STACK - 96 * 1024)
#define MAX_TYPES 256
#define MAX_ARITY 24

struct WfWallImage
{
	uint32_t	size;			/* of the memory */
	uint32_t	stack_pointer;
	uint32_t	n;				/* pages of PAGE bytes */
	const uint8_t **pages;		/* of each: its bytes; NULL when all are zero */
	uint8_t    *own;			/* those that the base image does not have */
	size_t		own_bytes;
};

static const WfWallHost *host;
static GUEST_INSTANCE guest;
static WfWallImage *base;		/* right after boot */
static uint8_t *reserved;
static size_t accessible;		/* bytes of it; those beyond the base image's are counted by the host */
static timer_t timer;

/* Of the use at hand. */
static volatile sig_atomic_t inside;
static volatile sig_atomic_t to_end;	/* how it is to end as soon as it can; WF_WALL_DONE: it goes on */
static sigjmp_buf way_out;
static WfWallLimits limit;
static int64_t cpu_from_us;
static int64_t cpu_until_us;
static bool memory_refused;
static double clock_at;			/* ms; negative: as it is */
static char *log_text;
static size_t log_size;			/* that there is room for */
static size_t log_used;
static size_t log_lines;

/* Below it a function of the guest does not begin: see guest.c, as build.sh makes it. */
extern char *wf_wall_stack_limit;
char	   *wf_wall_stack_limit;
#ifdef WF_TESTING
WfWallLie	wf_wall_lie;
#endif

/* The guest's code: the Makefile adds the two to its object. */
extern const char wf_guest_begin[] __attribute__((visibility("hidden")));
extern const char wf_guest_end[] __attribute__((visibility("hidden")));

/* -- leaving -- */

static int64_t
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

__attribute__((noreturn)) static void
leave(int end)
{
	inside = false;
	siglongjmp(way_out, end + 1);
}

static uintptr_t
interrupted_at(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t) context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t) context->uc_mcontext.pc;
#else
#error "where a signal interrupted this processor is not known: build with WITHOUT_SANDBOX=1"
#endif
}

static void
tick(int signal, siginfo_t *info, void *context)
{
	int			saved = errno;
	uintptr_t	at = interrupted_at(context);

	if (inside)
	{
		int			end = host->stop() ? WF_WALL_STOPPED : cpu_us() > cpu_until_us ? WF_WALL_OVER_TIME : WF_WALL_DONE;

		if (end != WF_WALL_DONE && at >= (uintptr_t) wf_guest_begin && at < (uintptr_t) wf_guest_end)
			leave(end);
		if (end != WF_WALL_DONE)
		{
			/* The next function of the guest's that begins finds the stack full. */
			to_end = end;
			wf_wall_stack_limit = (char *) UINTPTR_MAX;
		}
	}
	errno = saved;
}

static void
set_timer(long ns)
{
	struct itimerspec when = {{0, ns}, {0, ns}};

	timer_settime(timer, 0, &when, NULL);
}

/* Another library of the process may have a handler of its own for this signal: it is put aside while the guest is at work. */
static void
set_handler(struct sigaction *before)
{
	struct sigaction action = {0};

	action.sa_sigaction = tick;
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
	sigemptyset(&action.sa_mask);
	sigaction(TIMER_SIGNAL, &action, before);
}

static bool
is_of_others(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) != 0 ? action->sa_sigaction != tick :
		action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static const char *trap_name;

/* Called by the guest. */
__attribute__((noreturn)) void
wasm_rt_trap(wasm_rt_trap_t trap)
{
	if (trap == WASM_RT_TRAP_EXHAUSTION)
		leave(to_end != WF_WALL_DONE ? to_end : WF_WALL_OVER_STACK);
	trap_name = trap == WASM_RT_TRAP_OOB ? "access outside its memory" :
		trap == WASM_RT_TRAP_UNREACHABLE ? "failed assertion" :
		trap == WASM_RT_TRAP_CALL_INDIRECT ? "call of what is no function" : "invalid arithmetic";
	leave(WF_WALL_TRAPPED);
}

/* -- memory -- */

static bool
make_accessible(size_t bytes)
{
	if (bytes <= accessible)
		return true;
	if (!host->take(bytes - accessible))
		return false;
	if (mprotect(reserved + accessible, bytes - accessible, PROT_READ | PROT_WRITE) != 0)
	{
		host->give(bytes - accessible);
		return false;
	}
	accessible = bytes;
	return true;
}

/* Makes accessible memory zero and gives it back, if the system takes it (not what is locked). */
static void
give_back(size_t from, size_t bytes)
{
	if (madvise(reserved + from, bytes, MADV_DONTNEED) != 0)
		memset(reserved + from, 0, bytes);
}

static void
make_inaccessible(size_t bytes)
{
	if (bytes >= accessible)
		return;
	give_back(bytes, accessible - bytes);
	if (mprotect(reserved + bytes, accessible - bytes, PROT_NONE) != 0)
		return;
	host->give(accessible - bytes);
	accessible = bytes;
}

/* Called by the guest; the size before, in pages, or -1. */
GUEST_GROWN
wasm_rt_grow_memory(wasm_rt_memory_t *memory, GUEST_PAGES pages)
{
	GUEST_PAGES before = memory->pages;
	uint64_t	bytes = ((uint64_t) before + pages) * WASM_PAGE;

	if (bytes > limit.memory_bytes || bytes > RESERVED || !make_accessible(bytes))
	{
		memory_refused = true;
		return (GUEST_GROWN) -1;
	}
	memory->pages = before + pages;
	memory->size = bytes;
	return before;
}

void
wasm_rt_allocate_memory(wasm_rt_memory_t *memory, GUEST_PAGES initial, GUEST_PAGES max GUEST_MEMORY_ARGUMENTS)
{
	memset(memory, 0, sizeof(*memory));
	memory->data = reserved;
	memory->pages = initial;
	memory->max_pages = RESERVED / WASM_PAGE;
	memory->size = initial * WASM_PAGE;
	GUEST_SET_MEMORY(memory);
	if (!make_accessible(memory->size))
	{
		memory_refused = true;
		memory->size = 0;
	}
}

void
wasm_rt_free_memory(wasm_rt_memory_t *memory)
{
}

void
wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t n, uint32_t max)
{
	table->data = calloc(n, sizeof(*table->data));
	table->size = table->data == NULL ? 0 : n;
	table->max_size = max;
}

void
wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table)
{
	free(table->data);
	table->data = NULL;
	table->size = 0;
}

bool
wasm_rt_is_initialized(void)
{
	return true;
}

#if GUEST_GENERATION == 1
/* Numbers the types of functions: equal types have equal numbers. */
uint32_t
wasm_rt_register_func_type(uint32_t params, uint32_t results,...)
{
	static struct
	{
		uint32_t	params;
		uint32_t	results;
		int			types[MAX_ARITY];
	}			known[MAX_TYPES];
	static uint32_t n = 0;
	int			types[MAX_ARITY] = {0};
	va_list		args;

	if (params + results > MAX_ARITY || n == MAX_TYPES)
		abort();
	va_start(args, results);
	for (uint32_t i = 0; i < params + results; i++)
		types[i] = va_arg(args, int);
	va_end(args);
	for (uint32_t i = 0; i < n; i++)
		if (known[i].params == params && known[i].results == results && memcmp(known[i].types, types, sizeof(types)) == 0)
			return i + 1;
	known[n].params = params;
	known[n].results = results;
	memcpy(known[n].types, types, sizeof(types));
	return ++n;
}
#endif

/* -- images -- */

static bool
is_zero(const uint8_t *page)
{
	static const uint8_t zeros[PAGE];

	return memcmp(page, zeros, PAGE) == 0;
}

/* An image of the memory as it is; NULL when there is no memory for it. */
static WfWallImage *
take_image(void)
{
	WfWallImage *image = calloc(1, sizeof(WfWallImage));
	const uint8_t *memory = guest.w2c_memory.data;
	size_t		own = 0;
	uint8_t    *at;

	if (image == NULL)
		return NULL;
	image->size = (uint32_t) guest.w2c_memory.size;
	image->stack_pointer = guest.GUEST_STACK_POINTER;
	image->n = image->size / PAGE;
	image->pages = calloc(image->n, sizeof(*image->pages));
	if (image->pages == NULL)
	{
		free(image);
		return NULL;
	}
	/* The stack is free: what is left in it means nothing. */
	for (uint32_t i = GUEST_STACK / PAGE; i < image->n; i++)
	{
		const uint8_t *page = memory + (size_t) i * PAGE;

		if (is_zero(page))
			continue;
		if (base != NULL && i < base->n && base->pages[i] != NULL && memcmp(base->pages[i], page, PAGE) == 0)
			image->pages[i] = base->pages[i];
		else
			own++;
	}
	image->own_bytes = own * PAGE;
	image->own = at = malloc(own == 0 ? 1 : image->own_bytes);
	if (image->own == NULL)
	{
		free(image->pages);
		free(image);
		return NULL;
	}
	for (uint32_t i = GUEST_STACK / PAGE; i < image->n; i++)
	{
		const uint8_t *page = memory + (size_t) i * PAGE;

		if (image->pages[i] != NULL || is_zero(page))
			continue;
		memcpy(at, page, PAGE);
		image->pages[i] = at;
		at += PAGE;
	}
	return image;
}

/* Puts the memory back to an image. */
static bool
put_back(const WfWallImage *image)
{
	uint8_t    *memory = reserved;

	if (!make_accessible(image->size))
		return false;
	if (accessible > image->size)
		make_inaccessible(image->size);
	give_back(0, GUEST_STACK - STACK_TOP);
	memset(memory + GUEST_STACK - STACK_TOP, 0, STACK_TOP);
	for (uint32_t i = GUEST_STACK / PAGE; i < image->n; i++)
	{
		if (image->pages[i] == NULL)
			memset(memory + (size_t) i * PAGE, 0, PAGE);
		else
			memcpy(memory + (size_t) i * PAGE, image->pages[i], PAGE);
	}
	guest.w2c_memory.size = image->size;
	guest.w2c_memory.pages = image->size / WASM_PAGE;
	guest.GUEST_STACK_POINTER = image->stack_pointer;
	return true;
}

size_t
wf_wall_image_bytes(const WfWallImage *image)
{
	return sizeof(*image) + image->n * sizeof(*image->pages) + image->own_bytes;
}

void
wf_wall_forget(WfWallImage *image)
{
	if (image == NULL)
		return;
	free(image->pages);
	free(image->own);
	free(image);
}

void
wf_wall_rest(void)
{
	if (base != NULL)
		make_inaccessible(base->size);
	if (log_size > 65536)
	{
		free(log_text);
		log_text = NULL;
		log_size = 0;
	}
}

/* -- what the guest may ask for -- */

double
GUEST_IMPORT(clock) (struct GUEST_IMPORTS *unused)
{
	struct timespec now;

	if (clock_at >= 0)
		return clock_at;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double) now.tv_sec * 1000 + (double) (now.tv_nsec / 1000) / 1000;
}

/* Does what the guest names lie within its memory? Traps when it does not. */
static void
must_be_within(uint32_t at, uint64_t bytes)
{
	if ((uint64_t) at + bytes > guest.w2c_memory.size)
		wasm_rt_trap(WASM_RT_TRAP_OOB);
}

/* A line with a zero in it would be two: the zero becomes a blank. */
void
GUEST_IMPORT(log) (struct GUEST_IMPORTS *unused, uint32_t at, uint32_t bytes)
{
	size_t		needed = log_used + bytes + 1;

	must_be_within(at, bytes);
	if (log_lines >= limit.log_lines || needed > limit.log_bytes)
		leave(WF_WALL_OVER_LOG);
	if (needed > log_size)
	{
		size_t		size = needed * 2 < 1024 ? 1024 : needed * 2;
		char	   *bigger = realloc(log_text, size);

		if (bigger == NULL)
			leave(WF_WALL_BROKEN);
		log_text = bigger;
		log_size = size;
	}
	for (uint32_t i = 0; i < bytes; i++)
	{
		char		c = (char) guest.w2c_memory.data[at + i];

		log_text[log_used++] = c == '\0' ? ' ' : c;
	}
	log_text[log_used++] = '\0';
	log_lines++;
}

/* -- using the guest -- */

/* What a use does, between entering and leaving. Its status is the guest's. */
typedef struct Use
{
	enum
	{
		USE_BOOT, USE_CHECK, USE_PREPARE, USE_CALL, USE_POKE
	}			what;
	const char *text;			/* what it gets */
	size_t		bytes;
	uint64_t	seed;
	uint32_t	flags;
} Use;

/* Copies a text into the guest, ended by a zero; 0 when there is no memory. */
static uint32_t
hand_in(const char *text, size_t bytes)
{
	uint32_t	at;

	if (bytes >= RESERVED)
	{
		memory_refused = true;
		return 0;
	}
	at = GUEST_EXPORT(reserve) (&guest, (uint32_t) bytes + 1);
	if (at == 0 || (uint64_t) at + bytes + 1 > guest.w2c_memory.size)
		return 0;
	memcpy(guest.w2c_memory.data + at, text, bytes);
	guest.w2c_memory.data[at + bytes] = 0;
	return at;
}

static int
work(const Use *use)
{
	uint32_t	at;

	if (use->what == USE_BOOT)
	{
		GUEST_INSTANTIATE(&guest);
		GUEST_INITIALIZE(&guest);
		return (int) GUEST_EXPORT(boot) (&guest, GUEST_STACK_LIMIT);
	}
#ifdef WF_TESTING
	if (use->what == USE_POKE)
		return (int) GUEST_EXPORT(poke) (&guest, (uint32_t) use->seed, use->flags);
#endif
	at = hand_in(use->text, use->bytes);
	if (at == 0)
		return WF_WALL_BROKEN;
	switch (use->what)
	{
		case USE_CHECK:
			return (int) GUEST_EXPORT(check) (&guest, at, (uint32_t) use->bytes);
		case USE_PREPARE:
			return (int) GUEST_EXPORT(prepare) (&guest, at, (uint32_t) use->bytes);
		default:
			return (int) GUEST_EXPORT(call) (&guest, at, (uint32_t) use->bytes, use->seed, use->flags);
	}
}

/* Where the result lies, when it and a zero behind it lie in the memory at all. */
static void
find_result(WfWallResult *result)
{
	uint32_t	at = GUEST_EXPORT(result) (&guest);
	uint32_t	bytes = GUEST_EXPORT(bytes) (&guest);

#ifdef WF_TESTING
	if (wf_wall_lie.on)
	{
		at = wf_wall_lie.at;
		bytes = wf_wall_lie.bytes;
	}
#endif
	result->text_bytes = bytes;
#ifdef WF_TESTING
	if (wf_wall_lie.text != NULL)
	{
		result->text = wf_wall_lie.text;
		return;
	}
#endif
	must_be_within(at, (uint64_t) bytes + 1);
	guest.w2c_memory.data[at + bytes] = 0;
	result->text = (const char *) guest.w2c_memory.data + at;
}

static WfWallResult
enter(const Use *use, const WfWallLimits *limits)
{
	WfWallResult result = {0};
	volatile WfWallResult found = {0};
	struct sigaction before;
	int			how;

	limit = *limits;
	memory_refused = false;
	to_end = WF_WALL_DONE;
	log_used = 0;
	log_lines = 0;
	cpu_from_us = cpu_us();
	cpu_until_us = cpu_from_us + limits->time_us;
	wf_wall_stack_limit = (char *) __builtin_frame_address(0) - limits->stack_bytes;
	set_handler(&before);
	how = sigsetjmp(way_out, 0);
	if (how == 0)
	{
		set_timer(TICK_NS);
		inside = true;
		how = work(use) + 1;
		if (how == WF_WALL_DONE + 1 || how == WF_WALL_THROWN + 1)
		{
			WfWallResult where = {0};

			if (use->what == USE_CHECK || use->what == USE_CALL || how == WF_WALL_THROWN + 1)
				find_result(&where);
			found.text = where.text;
			found.text_bytes = where.text_bytes;
		}
		inside = false;
	}
	set_timer(0);
	if (is_of_others(&before))
		sigaction(TIMER_SIGNAL, &before, NULL);
	result.end = (WfWallEnd) (how - 1);
	result.text = found.text;
	result.text_bytes = found.text_bytes;
	if (result.end == WF_WALL_TRAPPED)
	{
		result.text = trap_name;
		result.text_bytes = strlen(trap_name);
	}
	else if (result.end > WF_WALL_THROWN)
		result.text = NULL;
	result.log = log_text;
	result.log_bytes = log_used;
	result.log_lines = log_lines;
	result.memory_refused = memory_refused;
	result.used_us = cpu_us() - cpu_from_us;
	result.memory_bytes = guest.w2c_memory.size;
	return result;
}

/* The same from an image. */
static WfWallResult
enter_from(const WfWallImage *image, const Use *use, const WfWallLimits *limits)
{
	WfWallResult refused = {.end = WF_WALL_BROKEN, .memory_refused = true};

	return put_back(image) ? enter(use, limits) : refused;
}

static const char *
prepare_process(void)
{
	struct sigevent event = {0};
	sigset_t	ours;

	if (reserved == NULL)
	{
		void	   *at = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (at == MAP_FAILED)
			return "no address space";
		/* A huge page would be zeroed whole at the first touch. */
		madvise(at, RESERVED, MADV_NOHUGEPAGE);
		reserved = at;
	}
	sigemptyset(&ours);
	sigaddset(&ours, TIMER_SIGNAL);
	if (sigprocmask(SIG_UNBLOCK, &ours, NULL) != 0)
		return "no signal";
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = TIMER_SIGNAL;
	event._sigev_un._tid = (pid_t) syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return "no timer";
	return NULL;
}

const char *
wf_wall_start(const WfWallHost *of)
{
	static bool prepared = false;
	WfWallLimits limits = {.time_us = 10000000, .memory_bytes = 16 << 20, .stack_bytes = 256 * 1024};
	WfWallResult booted;
	const char *problem;

	if (base != NULL)
		return NULL;
	host = of;
	if (!prepared && (problem = prepare_process()) != NULL)
		return problem;
	prepared = true;
	clock_at = 0;
	booted = enter(&(Use) {.what = USE_BOOT}, &limits);
	if (booted.end != WF_WALL_DONE || (base = take_image()) == NULL)
	{
		make_inaccessible(0);
		return booted.end == WF_WALL_STOPPED ? "interrupted" :
			booted.end == WF_WALL_BROKEN || booted.memory_refused ? "out of memory" : "the JavaScript engine does not start";
	}
	/* What every process has is no use of its own: else idle ones would take it from others. */
	host->give(base->size);
	return NULL;
}

WfWallResult
wf_wall_check(const char *source, size_t bytes, const WfWallLimits *limits)
{
	return enter_from(base, &(Use) {.what = USE_CHECK, .text = source, .bytes = bytes}, limits);
}

WfWallImage *
wf_wall_prepare(const char *source, size_t bytes, const WfWallLimits *limits, WfWallResult *result)
{
	WfWallImage *image;

	*result = enter_from(base, &(Use) {.what = USE_PREPARE, .text = source, .bytes = bytes}, limits);
	if (result->end != WF_WALL_DONE)
		return NULL;
	image = take_image();
	if (image == NULL)
		result->end = WF_WALL_BROKEN;
	return image;
}

WfWallResult
wf_wall_call(const WfWallImage *image, const char *json, size_t bytes, double clock_ms, uint64_t seed, uint32_t flags,
			 const WfWallLimits *limits)
{
	clock_at = clock_ms;
	return enter_from(image, &(Use) {.what = USE_CALL, .text = json, .bytes = bytes, .seed = seed | 1, .flags = flags}, limits);
}

#ifdef WF_TESTING
WfWallResult
wf_wall_poke(const WfWallImage *image, uint32_t address, bool write, const WfWallLimits *limits)
{
	return enter_from(image == NULL ? base : image, &(Use) {.what = USE_POKE, .seed = address, .flags = write}, limits);
}
#endif
