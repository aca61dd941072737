"""Puts the results of all benchmarks into one table: FOLDER/results.json, FOLDER/results.md and the standard output."""
import json
import pathlib
import sys

import turns


def main():
    folder = pathlib.Path(sys.argv[1])
    parts = [path for name in ("encoder", "end_to_end", "cold_search", "vector_search", "quantised_matmul") if (path := folder / f"{name}.json").exists()]
    if not parts:
        sys.exit("there are no results")
    results = [json.loads(path.read_text()) for path in parts]
    rows = [row for result in results for row in result["rows"]]
    remarks = list(dict.fromkeys(remark for result in results for remark in result["remarks"]))
    text = turns.markdown(rows) + "\n\n" + "\n".join(f"- {remark}" for remark in remarks) + "\n"
    (folder / "results.json").write_text(json.dumps({"rows": rows, "remarks": remarks}, indent=1) + "\n")
    (folder / "results.md").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
