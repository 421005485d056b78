// Verifies an audit log with nothing but Go's sumdb packages: DIR VKEY [OLDER-CHECKPOINT].
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func fail(format string, args ...interface{}) {
	fmt.Printf("FAILED: "+format+"\n", args...)
	os.Exit(1)
}

// tlog-checkpoint: origin, size, root, a line each.
func open(file string, key note.Verifier) tlog.Tree {
	text, err := os.ReadFile(file)
	if err != nil {
		fail("%v", err)
	}
	opened, err := note.Open(text, note.VerifierList(key))
	if err != nil {
		fail("signature: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != key.Name() {
		fail("no checkpoint of %s", key.Name())
	}
	var size int64
	if _, err := fmt.Sscanf(lines[1], "%d", &size); err != nil || size < 0 {
		fail("no size")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail("no root: %v", err)
	}
	return tlog.Tree{N: size, Hash: root}
}

// reader reads tiles; x/mod has the height in their paths, tlog-tiles has not.
type reader struct{ dir string }

func (r reader) Height() int { return height }

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(r.dir, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

// bundle reads width leaves, each behind its length.
func bundle(dir string, n int64, width int) [][]byte {
	tile := tlog.Tile{H: height, L: -1, N: n, W: width}
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		fail("leaves: %v", err)
	}
	var leaves [][]byte
	for len(data) >= 2 {
		length := int(binary.BigEndian.Uint16(data))
		if 2+length > len(data) {
			break
		}
		leaves = append(leaves, data[2:2+length])
		data = data[2+length:]
	}
	if len(data) != 0 || len(leaves) != width {
		fail("%s holds %d leaves, not %d", path, len(leaves), width)
	}
	return leaves
}

func main() {
	key, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fail("key: %v", err)
	}
	dir := os.Args[1]
	tree := open(filepath.Join(dir, "checkpoint"), key)
	hashes := tlog.TileHashReader(tree, reader{dir})

	// The root from the leaves alone, and each leaf by its own proof.
	stored := map[int64]tlog.Hash{}
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var all []tlog.Hash
		for _, index := range indexes {
			hash, known := stored[index]
			if !known {
				return nil, fmt.Errorf("no hash %d", index)
			}
			all = append(all, hash)
		}
		return all, nil
	})
	for from := int64(0); from < tree.N; from += 1 << height {
		width := 1 << height
		if tree.N-from < int64(width) {
			width = int(tree.N - from)
		}
		for i, leaf := range bundle(dir, from>>height, width) {
			n := from + int64(i)
			more, err := tlog.StoredHashes(n, leaf, memory)
			if err != nil {
				fail("leaf %d: %v", n, err)
			}
			for k, hash := range more {
				stored[tlog.StoredHashIndex(0, n)+int64(k)] = hash
			}
			proof, err := tlog.ProveRecord(tree.N, n, hashes)
			if err != nil {
				fail("leaf %d: %v", n, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(leaf)); err != nil {
				fail("leaf %d: %v", n, err)
			}
		}
	}
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, memory)
		if err != nil || !bytes.Equal(root[:], tree.Hash[:]) {
			fail("root: the leaves give another one")
		}
	}
	if len(os.Args) > 3 {
		older := open(os.Args[3], key)
		if older.N > tree.N {
			fail("the log was cut: %d leaves, %d before", tree.N, older.N)
		}
		proof, err := tlog.ProveTree(tree.N, older.N, hashes)
		if err != nil {
			fail("consistency: %v", err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
			fail("consistency: %v", err)
		}
	}
	fmt.Printf("OK: %d leaves of %s\n", tree.N, key.Name())
}
