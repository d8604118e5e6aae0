// Package scan reads a WebAssembly binary before the engine does, and refuses
// what would harm the compiler or the host: engines are written for valid
// modules of sane shape, and a module of 30 bytes that declares 2^32-1 locals
// takes a process down before anything validates it.
//
//	"\0asm" 01 00 00 00 | section: id u8, size leb, bytes | section | ...
//	                       1 type       counted, at most 1,000 parameters or results
//	                       2 import     functions only, each one offered by the host
//	                       4 table      size bounded; a maximum is written into it
//	                       5 memory     one, below the limit
//	                       7 export     the ABI's, each with its signature
//	                      10 code       per body: size, locals, nesting, blocks, br_table
//	                       9 element    walked: each vector as long as it says
//	                      11 data       likewise
//	                       0 custom     left out of what the engine sees
//
// The scan is linear in the module's size, allocates at most a small multiple of it,
// and is no validator: the engine still validates everything it is handed.
// Faults that an author can mend together (imports, exports) are reported together.
package scan
