/*
 * guest.c: what is behind the wall: QuickJS and the few functions that the host calls.
 *
 * This file is compiled to WebAssembly (build.sh), with QuickJS's source beside it, and knows neither PostgreSQL nor the
 * machine. It imports two functions, `log` and `clock`; all else it has is its linear memory. It frees nothing that it made for
 * one call: the host throws the memory away and puts back an image (wall.c).
 *
 * Life of an instance:
 *  1. wf_boot makes the runtime and the context, evaluates the prelude, and freezes what there is. The host takes an image.
 *  2. wf_check reads a source, for its errors and for the names that it uses; or
 *  3. wf_prepare compiles it, perhaps followed by an image of that, and
 *  4. wf_call calls it.
 * What comes of 2 to 4 is a text, wf_result and wf_result_bytes; each returns a Status.
 *
 * The source is the body of an async function. It begins on the line of the function's head, so that lines are the author's; the
 * columns of the first line are put right where an error is told (place).
 *
 * It is one translation unit with quickjs.c, since it freezes shapes, reads bytecode and seeds Math.random, for which QuickJS
 * has no interface. The source is pinned by its digest, so what is used of its inside cannot change unseen.
 */
#include <malloc.h>

#include "quickjs.c"

/* QuickJS forbids itself these beyond its allocator. */
#undef malloc
#undef free
#undef realloc

#include "prelude.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("wf"), import_name(name)))

/* A line that the code logs. */
extern void host_log(const char *text, uint32_t bytes) IMPORT("log");
/* Milliseconds since 1970: what Date and its like say. */
extern double host_clock(void) IMPORT("clock");

typedef enum Status
{
	STATUS_DONE,				/* the result is JSON */
	STATUS_THROWN,				/* the result is {"name", "message", "stack", "line", "column", "item", "value"}, of which any may be missing */
	STATUS_PENDING,				/* the code waits for a promise that nothing settles */
	STATUS_BROKEN,				/* out of memory where nothing may be */
} Status;

/* Of what was thrown, so much is told. */
#define MOST_THROWN		10000

/* Bits of wf_call's `flags`. */
#define CALL_EACH		0x01	/* once for each of the items */

#define HEAD "(async function($input, $node, $trigger, $vars, $env, $item, $index, $items, $error, $run, $now, $today) {"
#define N_NAMES 12
#define VALUE_BYTES 4096		/* of a value that is thrown and told whole */
#define ITEM 5
#define INDEX 6
#define ITEMS 7
#define NOW 10
#define TODAY 11

static const char *const names[N_NAMES] = {
	"$input", "$node", "$trigger", "$vars", "$env", "$item", "$index", "$items", "$error", "$run", "$now", "$today"
};

static JSRuntime *runtime;
static JSContext *context;
static JSValue code;			/* the function */
static size_t head_bytes;		/* of the text before the source, on its first line */
static int64_t item_at = -1;	/* which item it is called for */
static JSValue rejections;		/* [promise, reason] of those that were rejected and that nobody looks at */
static const char *result;
static size_t result_bytes;

/* -- the machine that QuickJS believes in -- */

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	double		ms = host_clock();

	tv->tv_sec = (time_t) floor(ms / 1000);
	tv->tv_usec = (suseconds_t) ((ms - (double) tv->tv_sec * 1000) * 1000);
	return 0;
}

/* What wasi-libc would ask its host for. There are no files: these are for QuickJS's dumps, which nobody asks for. */
#define NO_SUCH_FILE 8
int32_t __imported_wasi_snapshot_preview1_fd_close(int32_t fd) { return NO_SUCH_FILE; }
int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t fd, int64_t to, int32_t whence, int32_t out) { return NO_SUCH_FILE; }
int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t fd, int32_t iov, int32_t n, int32_t out) { return NO_SUCH_FILE; }
int32_t __imported_wasi_snapshot_preview1_fd_fdstat_get(int32_t fd, int32_t out) { return NO_SUCH_FILE; }

/* -- memory -- */

/* dlmalloc's sizes are what the collector goes by. The limit is the size of the memory. */
static void *
take(JSMallocState *state, size_t size)
{
	void	   *at = malloc(size);

	if (at != NULL)
	{
		state->malloc_count++;
		state->malloc_size += malloc_usable_size(at);
	}
	return at;
}

static void
give(JSMallocState *state, void *at)
{
	if (at == NULL)
		return;
	state->malloc_count--;
	state->malloc_size -= malloc_usable_size(at);
	free(at);
}

static void *
change(JSMallocState *state, void *at, size_t size)
{
	size_t		before;
	void	   *after;

	if (at == NULL)
		return size == 0 ? NULL : take(state, size);
	if (size == 0)
	{
		give(state, at);
		return NULL;
	}
	before = malloc_usable_size(at);
	after = realloc(at, size);
	if (after != NULL)
		state->malloc_size += malloc_usable_size(after) - before;
	return after;
}

static size_t
size_of(const void *at)
{
	return malloc_usable_size((void *) at);
}

static const JSMallocFunctions memory = {take, give, change, size_of};

/* -- results -- */

/* Hands out a string; a Status. */
static int
give_string(JSValue string, int status)
{
	if (JS_IsException(string))
		return STATUS_BROKEN;
	result = JS_ToCStringLen(context, &result_bytes, string);
	return result == NULL ? STATUS_BROKEN : status;
}

/* The text, or as much of its beginning as an error has room for. */
static JSValue
clip(JSValue text)
{
	JSString   *string;
	uint32_t	n = MOST_THROWN;
	JSValue		part;

	if (JS_VALUE_GET_TAG(text) == JS_TAG_STRING_ROPE)
		text = js_linearize_string_rope(context, text);
	if (JS_VALUE_GET_TAG(text) != JS_TAG_STRING)
		return text;
	string = JS_VALUE_GET_STRING(text);
	if (string->len <= n)
		return text;
	if (is_hi_surrogate(string_get(string, n - 1)))
		n--;
	part = js_sub_string(context, string, 0, n);
	JS_FreeValue(context, text);
	return part;
}

/* What was thrown, or a property of it, as a text; undefined when it has none, or when asking throws. */
static JSValue
to_text(JSValueConst value)
{
	JSValue		text = clip(JS_ToString(context, value));

	if (!JS_IsException(text))
		return text;
	JS_FreeValue(context, JS_GetException(context));
	return JS_UNDEFINED;
}

static JSValue
text_of(JSValueConst thrown, const char *name)
{
	JSValue		value = JS_GetPropertyStr(context, thrown, name);

	if (!JS_IsException(value) && !JS_IsUndefined(value) && !JS_IsNull(value))
		return to_text(value);
	JS_FreeValue(context, JS_GetException(context));
	return JS_UNDEFINED;
}

/*
 * The first place of the author's in a stack: "code:<line>:<column>". False when there is none. Frames of the function of this name,
 * the error's own constructor, are passed over where there are others: what counts is who made the error.
 */
static int
first_place(const char *stack, const char *constructor, int *line, int *column)
{
	const char *at = stack == NULL ? NULL : strstr(stack, "code:");
	const char *first = at;

	while (at != NULL && constructor != NULL)
	{
		const char *begin = at;
		size_t		bytes = strlen(constructor);

		while (begin > stack && begin[-1] != '\n')
			begin--;
		if (strncmp(begin, "    at ", 7) != 0 || strncmp(begin + 7, constructor, bytes) != 0 || strncmp(begin + 7 + bytes, " (", 2) != 0)
			break;
		at = strstr(at + 5, "code:");
	}
	if (at == NULL)
		at = first;
	if (at == NULL)
		return 0;
	*line = atoi(at + 5);
	at = strchr(at + 5, ':');
	*column = at == NULL ? 0 : atoi(at + 1);
	if (*line == 1)
		*column -= (int) head_bytes;
	return 1;
}

/* The stack with the columns of the first line put right. */
static JSValue
put_right(JSValueConst stack)
{
	const char *text = JS_ToCString(context, stack);
	const char *from = text;
	const char *at;
	DynBuf		out;
	JSValue		value;

	if (text == NULL)
		return JS_UNDEFINED;
	js_dbuf_init(context, &out);
	while ((at = strstr(from, "code:1:")) != NULL)
	{
		char	   *end;
		long		column = strtol(at + 7, &end, 10) - (long) head_bytes;

		dbuf_put(&out, (const uint8_t *) from, at + 7 - from);
		dbuf_printf(&out, "%ld", column < 1 ? 1 : column);
		from = end;
	}
	dbuf_putstr(&out, from);
	value = JS_NewStringLen(context, (const char *) out.buf, out.size);
	dbuf_free(&out);
	return value;
}

/* The name of the function that made an object; NULL when it has none. */
static const char *
constructor_of(JSValueConst thrown)
{
	JSValue		constructor = JS_GetPropertyStr(context, thrown, "constructor");
	JSValue		name;

	if (JS_IsException(constructor))
	{
		JS_FreeValue(context, JS_GetException(context));
		return NULL;
	}
	name = JS_IsObject(constructor) ? text_of(constructor, "name") : JS_UNDEFINED;
	return JS_IsString(name) ? JS_ToCString(context, name) : NULL;
}

/* What was thrown, where it is no error and its JSON is short. */
static void
tell_value(JSValue told, JSValueConst thrown)
{
	JSValue		json = JS_JSONStringify(context, thrown, JS_UNDEFINED, JS_UNDEFINED);
	const char *text;
	size_t		bytes;

	if (JS_IsException(json))
	{
		JS_FreeValue(context, JS_GetException(context));
		return;
	}
	text = JS_IsString(json) ? JS_ToCStringLen(context, &bytes, json) : NULL;
	if (text == NULL)
		JS_SetPropertyStr(context, told, "value", JS_NULL);
	else if (bytes <= VALUE_BYTES)
		JS_SetPropertyStr(context, told, "value", JS_ParseJSON(context, text, bytes, "value"));
}

/* Tells what was thrown. */
static int
tell_thrown(JSValue thrown)
{
	JSValue		told = JS_NewObject(context);
	JSValue		message;
	JSValue		stack = JS_UNDEFINED;
	int			line;
	int			column;

	if (JS_IsException(told))
		return STATUS_BROKEN;
	if (JS_IsObject(thrown))
	{
		JS_SetPropertyStr(context, told, "name", text_of(thrown, "name"));
		message = text_of(thrown, "message");
		stack = text_of(thrown, "stack");
		if (JS_IsUndefined(message) && !JS_IsError(context, thrown))
		{
			message = clip(JS_JSONStringify(context, thrown, JS_UNDEFINED, JS_UNDEFINED));
			if (JS_IsException(message))
			{
				JS_FreeValue(context, JS_GetException(context));
				message = JS_UNDEFINED;
			}
		}
	}
	else if (JS_IsSymbol(thrown))
		message = JS_NewString(context, "a symbol");
	else
		message = to_text(thrown);
	JS_SetPropertyStr(context, told, "message", message);
	if (!JS_IsError(context, thrown))
		tell_value(told, thrown);
	if (item_at >= 0)
		JS_SetPropertyStr(context, told, "item", JS_NewInt64(context, item_at));
	if (JS_IsString(stack))
	{
		const char *text = JS_ToCString(context, stack);

		if (first_place(text, constructor_of(thrown), &line, &column))
		{
			JS_SetPropertyStr(context, told, "line", JS_NewInt32(context, line));
			JS_SetPropertyStr(context, told, "column", JS_NewInt32(context, column));
		}
		JS_SetPropertyStr(context, told, "stack", put_right(stack));
	}
	return give_string(JS_JSONStringify(context, told, JS_UNDEFINED, JS_UNDEFINED), STATUS_THROWN);
}

static int
tell_exception(void)
{
	return tell_thrown(JS_GetException(context));
}

/* -- boot -- */

/* console.log and its like: texts as they are, objects as JSON (what is none, such as a circle, as [object Array]) but for errors, which
 * are name and message. */
static JSValue
console_log(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
{
	DynBuf		line;

	js_dbuf_init(ctx, &line);
	for (int i = 0; i < argc; i++)
	{
		JSValue		text;
		const char *chars;
		size_t		bytes;

		if (i > 0)
			dbuf_putc(&line, ' ');
		text = JS_UNDEFINED;
		if (JS_IsObject(argv[i]) && !JS_IsFunction(ctx, argv[i]) && !JS_IsError(ctx, argv[i]))
		{
			text = JS_JSONStringify(ctx, argv[i], JS_UNDEFINED, JS_UNDEFINED);
			if (JS_IsException(text))
			{
				JS_FreeValue(ctx, JS_GetException(ctx));
				text = js_object_toString(ctx, argv[i], 0, NULL);
			}
		}
		if (JS_IsUndefined(text))
			text = JS_IsSymbol(argv[i]) ? JS_NewString(ctx, "Symbol()") : JS_ToString(ctx, argv[i]);
		chars = JS_IsException(text) ? NULL : JS_ToCStringLen(ctx, &bytes, text);
		JS_FreeValue(ctx, text);
		if (chars == NULL)
		{
			dbuf_free(&line);
			return JS_EXCEPTION;
		}
		dbuf_put(&line, (const uint8_t *) chars, bytes);
		JS_FreeCString(ctx, chars);
	}
	if (dbuf_error(&line))
	{
		dbuf_free(&line);
		return JS_ThrowOutOfMemory(ctx);
	}
	host_log((const char *) line.buf, (uint32_t) line.size);
	dbuf_free(&line);
	return JS_UNDEFINED;
}

static void
track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL is_handled, void *opaque)
{
	JSValue    *items;
	uint32_t	n = 0;
	JSValue		entry;

	if (!js_get_fast_array(ctx, rejections, &items, &n))
		return;
	if (!is_handled)
	{
		entry = JS_NewArray(ctx);
		if (JS_IsException(entry))
			return;
		JS_SetPropertyUint32(ctx, entry, 0, JS_DupValue(ctx, promise));
		JS_SetPropertyUint32(ctx, entry, 1, JS_DupValue(ctx, reason));
		JS_SetPropertyUint32(ctx, rejections, n, entry);
		return;
	}
	/* Most are looked at soon: the last ones first. */
	for (uint32_t i = n; i-- > 0;)
	{
		JSValue    *pair;
		uint32_t	two = 0;

		if (js_get_fast_array(ctx, items[i], &pair, &two) && two == 2 &&
			JS_VALUE_GET_PTR(pair[0]) == JS_VALUE_GET_PTR(promise))
		{
			JS_SetPropertyUint32(ctx, rejections, i, JS_DupValue(ctx, items[n - 1]));
			JS_SetPropertyStr(ctx, rejections, "length", JS_NewInt32(ctx, (int32_t) (n - 1)));
			return;
		}
	}
}

/* Nothing that there is now can be changed: all properties of all objects but the global one, which may get new ones. Functions
 * that QuickJS makes when they are first named stay unmade, so these are as they would be elsewhere (of no effect beyond the call). */
static int
freeze(void)
{
	struct list_head *el;
	JSObject   *global = JS_VALUE_GET_OBJ(context->global_obj);

	list_for_each(el, &runtime->gc_obj_list)
	{
		JSGCObjectHeader *header = list_entry(el, JSGCObjectHeader, link);
		JSObject   *object = (JSObject *) header;
		JSShapeProperty *property;

		if (header->gc_obj_type != JS_GC_OBJ_TYPE_JS_OBJECT)
			continue;
		if (js_shape_prepare_update(context, object, NULL) != 0)
			return -1;
		property = get_shape_prop(object->shape);
		for (int i = 0; i < object->shape->prop_count; i++, property++)
		{
			int			drop = JS_PROP_CONFIGURABLE;

			if ((property->flags & JS_PROP_TMASK) != JS_PROP_GETSET)
				drop |= JS_PROP_WRITABLE;
			property->flags &= ~drop;
		}
		if (object != global)
			object->extensible = FALSE;
	}
	return 0;
}

EXPORT("boot") int
wf_boot(uint32_t stack_bytes)
{
	static const char *const levels[] = {"log", "info", "warn", "error", "debug"};
	JSValue		global;
	JSValue		console;
	JSValue		made;

	code = JS_UNDEFINED;
	runtime = JS_NewRuntime2(&memory, NULL);
	if (runtime == NULL || (context = JS_NewContext(runtime)) == NULL)
		return STATUS_BROKEN;
	JS_SetMaxStackSize(runtime, stack_bytes);
	JS_SetHostPromiseRejectionTracker(runtime, track_rejection, NULL);
	global = JS_GetGlobalObject(context);
	console = JS_NewObject(context);
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		JS_DefinePropertyValueStr(context, console, levels[i], JS_NewCFunction(context, console_log, levels[i], 0), JS_PROP_C_W_E);
	JS_DefinePropertyValueStr(context, global, "console", console, JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE);
	made = JS_Eval(context, prelude, strlen(prelude), "prelude", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT);
	if (JS_IsException(made))
		return tell_exception();
	JS_FreeValue(context, global);
	rejections = JS_NewArray(context);
	JS_RunGC(runtime);
	if (freeze() != 0)
		return STATUS_BROKEN;
	JS_VALUE_GET_OBJ(rejections)->extensible = TRUE;
	get_shape_prop(JS_VALUE_GET_OBJ(rejections)->shape)->flags |= JS_PROP_WRITABLE;	/* its length */
	return STATUS_DONE;
}

/* Memory for what the host has to say; 0 when there is none. */
EXPORT("reserve") void *
wf_reserve(uint32_t bytes)
{
	return malloc(bytes);
}

EXPORT("result") const char *
wf_result(void)
{
	return result;
}

EXPORT("bytes") uint32_t
wf_result_bytes(void)
{
	return (uint32_t) result_bytes;
}

/* -- compiling -- */

/*
 * Is this script one function of so long a text, and nothing else? The body may have ended the function and begun another. It is asked of what was
 * compiled, before anything is executed: what a function says of itself can be forged.
 */
static int
is_one_function(JSValueConst script, size_t text_bytes)
{
	JSFunctionBytecode *b = JS_VALUE_GET_PTR(script);
	JSFunctionBytecode *inner;

	if (b->cpool_count != 1 || JS_VALUE_GET_TAG(b->cpool[0]) != JS_TAG_FUNCTION_BYTECODE)
		return 0;
	inner = JS_VALUE_GET_PTR(b->cpool[0]);
	return inner->has_debug && (size_t) inner->debug.source_len == text_bytes;
}

/* The source in a function of this head. An exception when it is no function body. */
static JSValue
compile(const char *head, const char *source, uint32_t bytes)
{
	DynBuf		text;
	JSValue		script;

	head_bytes = strlen(head);
	js_dbuf_init(context, &text);
	dbuf_putstr(&text, head);
	dbuf_put(&text, (const uint8_t *) source, bytes);
	dbuf_putstr(&text, "\n})");
	dbuf_putc(&text, '\0');
	if (dbuf_error(&text))
		return JS_ThrowOutOfMemory(context);
	script = JS_Eval(context, (const char *) text.buf, text.size - 1, "code",
					 JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT | JS_EVAL_FLAG_COMPILE_ONLY);
	if (JS_IsException(script))
		return script;
	/* without the parentheses and the zero */
	if (!is_one_function(script, text.size - 3))
	{
		JS_FreeValue(context, script);
		return JS_ThrowSyntaxError(context, "a } closes the code before its end");
	}
	dbuf_free(&text);
	return JS_EvalFunction(context, script);
}

/* Of an array that was made here. */
static uint32_t
length_of(JSValueConst array)
{
	JSValue    *items;
	uint32_t	n = 0;

	js_get_fast_array(context, array, &items, &n);
	return n;
}

/* Has this not been read before? Many reads of a name are told of once: to find the line of each would take long. */
static int
is_first(JSValueConst seen, const char *name, JSValueConst member)
{
	DynBuf		key;
	JSAtom		atom;
	int			known;

	js_dbuf_init(context, &key);
	dbuf_putstr(&key, name);
	if (!JS_IsNull(member))
	{
		const char *text = JS_ToCString(context, member);

		dbuf_putc(&key, '.');
		dbuf_putstr(&key, text == NULL ? "" : text);
		JS_FreeCString(context, text);
	}
	atom = JS_NewAtomLen(context, (const char *) key.buf, key.size);
	dbuf_free(&key);
	known = JS_HasProperty(context, seen, atom);
	if (known == 0)
		JS_SetProperty(context, seen, atom, JS_TRUE);
	JS_FreeAtom(context, atom);
	return known == 0;
}

/* The member that the operation at `op` asks for, which follows the reading of a name; null when it is not one that is written there. */
static JSValue
member_of(const uint8_t *op, const uint8_t *end)
{
	if (op < end && (*op == OP_get_field || *op == OP_get_field2))
		return JS_AtomToString(context, get_u32(op + 1));
	if (op + 5 < end && *op == OP_push_atom_value && (op[5] == OP_get_array_el || op[5] == OP_get_array_el2))
		return JS_AtomToString(context, get_u32(op + 1));
	return JS_NULL;
}

/* Adds what a function and those within it read of the names that begin with $: [name, member or null, line]. */
static int
read_names(JSFunctionBytecode *b, JSValue list, JSValueConst seen)
{
	const uint8_t *end = b->byte_code_buf + b->byte_code_len;
	int			at = 0;

	while (at < b->byte_code_len)
	{
		const uint8_t *op = b->byte_code_buf + at;
		int			next = at + short_opcode_info(*op).size;
		const char *name = "eval";
		JSValue		member = JS_NULL;

		if (*op == OP_get_var || *op == OP_get_var_undef || *op == OP_put_var || *op == OP_put_var_strict)
		{
			name = JS_AtomToCString(context, get_u32(op + 1));
			if (name == NULL)
				return -1;
			if (name[0] == '$')
				member = member_of(b->byte_code_buf + next, end);
		}
		else if (*op != OP_eval && *op != OP_apply_eval)
			name = "";
		if ((name[0] == '$' || *op == OP_eval || *op == OP_apply_eval) && is_first(seen, name, member))
		{
			JSValue		entry = JS_NewArray(context);
			int			column;

			JS_SetPropertyUint32(context, entry, 0, JS_NewString(context, name));
			JS_SetPropertyUint32(context, entry, 1, member);
			JS_SetPropertyUint32(context, entry, 2, JS_NewInt32(context, find_line_num(context, b, at, &column)));
			JS_SetPropertyUint32(context, list, length_of(list), entry);
		}
		at = next;
	}
	for (int i = 0; i < b->cpool_count; i++)
		if (JS_VALUE_GET_TAG(b->cpool[i]) == JS_TAG_FUNCTION_BYTECODE &&
			read_names(JS_VALUE_GET_PTR(b->cpool[i]), list, seen) != 0)
			return -1;
	return 0;
}

/*
 * Reads a source. The result is a list of [name, member, line], one for each that is read of the names which begin with $ and are none
 * of the code's own, with the place of the first; member is null when it is not one that is written there. `eval` stands for code that
 * cannot be read. It is compiled twice: as it will be called, and without the parameters, whose names then are those it reads.
 */
EXPORT("check") int
wf_check(const char *source, uint32_t bytes)
{
	JSValue		function;
	JSValue		list;
	JSValue		seen;

	JS_UpdateStackTop(runtime);
	function = compile(HEAD, source, bytes);
	if (JS_IsException(function))
		return tell_exception();
	JS_FreeValue(context, function);
	function = compile("(async function() {", source, bytes);
	if (JS_IsException(function))
		return tell_exception();
	list = JS_NewArray(context);
	seen = JS_NewObjectProto(context, JS_NULL);
	if (JS_IsException(list) || JS_IsException(seen) ||
		read_names(JS_VALUE_GET_OBJ(function)->u.func.function_bytecode, list, seen) != 0)
		return STATUS_BROKEN;
	return give_string(JS_JSONStringify(context, list, JS_UNDEFINED, JS_UNDEFINED), STATUS_DONE);
}

EXPORT("prepare") int
wf_prepare(const char *source, uint32_t bytes)
{
	JS_UpdateStackTop(runtime);
	code = compile(HEAD, source, bytes);
	return JS_IsException(code) ? tell_exception() : STATUS_DONE;
}

/* -- calling -- */

/* What became of the promise that a call gave: a Status; the value is *settled, to be freed. */
static int
settle(JSValue promise, JSValue *settled)
{
	JSContext  *of;
	int			n;

	while ((n = JS_ExecutePendingJob(runtime, &of)) > 0)
		;
	if (n < 0)
	{
		*settled = JS_GetException(context);
		return STATUS_THROWN;
	}
	switch (JS_PromiseState(context, promise))
	{
		case JS_PROMISE_FULFILLED:
			*settled = JS_PromiseResult(context, promise);
			break;
		case JS_PROMISE_REJECTED:
			*settled = JS_PromiseResult(context, promise);
			return STATUS_THROWN;
		default:
			return STATUS_PENDING;
	}
	if (length_of(rejections) > 0)
	{
		JSValue		pair = JS_GetPropertyUint32(context, rejections, 0);

		JS_FreeValue(context, *settled);
		*settled = JS_GetPropertyUint32(context, pair, 1);
		return STATUS_THROWN;
	}
	return STATUS_DONE;
}

static int
call_once(JSValue *arguments, JSValue *settled)
{
	JSValue		promise = JS_Call(context, code, JS_UNDEFINED, N_NAMES, arguments);
	int			status;

	if (JS_IsException(promise))
	{
		*settled = JS_GetException(context);
		return STATUS_THROWN;
	}
	status = settle(promise, settled);
	JS_FreeValue(context, promise);
	return status;
}

/* Calls for each item; the results become one list. */
static int
call_each(JSValue *arguments, JSValue *settled)
{
	JSValue		items = arguments[ITEMS];
	JSValue		results = JS_NewArray(context);
	int64_t		n;

	if (JS_IsException(results) || js_get_length64(context, &n, items) != 0)
		return STATUS_BROKEN;
	for (int64_t i = 0; i < n; i++)
	{
		JSValue		value = JS_UNDEFINED;
		int			status;

		item_at = i;
		arguments[ITEM] = JS_GetPropertyInt64(context, items, i);
		arguments[INDEX] = JS_NewInt64(context, i);
		status = call_once(arguments, &value);
		JS_FreeValue(context, arguments[ITEM]);
		if (status != STATUS_DONE)
		{
			*settled = value;
			return status;
		}
		if (JS_SetPropertyInt64(context, results, i, value) < 0)
			return STATUS_BROKEN;
	}
	item_at = -1;
	*settled = results;
	return STATUS_DONE;
}

/*
 * Calls what was prepared. `json` is an object of the values of the names, its text ended by a zero; $now and $today are milliseconds since 1970,
 * and become dates. `seed` is not zero. The result is JSON; undefined is null.
 */
EXPORT("call") int
wf_call(const char *json, uint32_t bytes, uint64_t seed, uint32_t flags)
{
	JSValue		values;
	JSValue		arguments[N_NAMES];
	JSValue		settled = JS_UNDEFINED;
	int			status;

	JS_UpdateStackTop(runtime);
	context->random_state = seed;
	values = JS_ParseJSON(context, json, bytes, "values");
	if (JS_IsException(values))
		return tell_exception();
	for (int i = 0; i < N_NAMES; i++)
	{
		arguments[i] = JS_GetPropertyStr(context, values, names[i]);
		if ((i == NOW || i == TODAY) && JS_IsNumber(arguments[i]))
		{
			double		ms;

			JS_ToFloat64(context, &ms, arguments[i]);
			arguments[i] = JS_NewDate(context, ms);
		}
		if (JS_IsException(arguments[i]))
			return tell_exception();
	}
	JS_FreeValue(context, values);
	status = (flags & CALL_EACH) != 0 ? call_each(arguments, &settled) : call_once(arguments, &settled);
	if (status == STATUS_THROWN)
		return tell_thrown(settled);
	if (status != STATUS_DONE)
		return status;
	settled = JS_JSONStringify(context, settled, JS_UNDEFINED, JS_UNDEFINED);
	if (JS_IsException(settled))
		return tell_exception();
	return give_string(JS_IsUndefined(settled) ? JS_NewString(context, "null") : settled, STATUS_DONE);
}

/* Writes, or reads, at an address. Only tests ask for it: the code has no way to. */
EXPORT("poke") int
wf_poke(uint32_t address, uint32_t write)
{
	volatile uint8_t *at = (volatile uint8_t *) address;

	if (write)
		*at = 1;
	return *at >= 0 ? STATUS_DONE : STATUS_BROKEN;
}
