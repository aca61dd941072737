/// The look of a contact sheet: the system's fonts with Chinese ones behind them, light and dark as the reader has it.
enum SheetStyle {
    static let css = """
        :root {
          color-scheme: light dark;
          --paper: #fbfaf8; --ink: #1d1d1f; --soft: #6b6b70; --line: #e3e1dc; --tile: #ffffff; --accent: #0b62c4;
        }
        @media (prefers-color-scheme: dark) {
          :root { --paper: #17181a; --ink: #ececee; --soft: #a0a0a6; --line: #313338; --tile: #222327; --accent: #7fb5ff; }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--paper); color: var(--ink); line-height: 1.45; font-size: 16px;
          font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
            "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif;
        }
        header, main { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
        header { padding-top: 40px; }
        h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
        header p { margin: 0 0 12px; color: var(--soft); }
        nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; margin: 16px 0 0; padding: 0; }
        nav a {
          display: block; padding: 4px 12px; border: 1px solid var(--line); border-radius: 999px; background: var(--tile);
          color: var(--accent); text-decoration: none; font-size: 14px;
        }
        nav a:hover, nav a:focus-visible { border-color: var(--accent); }
        section { padding: 28px 0 8px; }
        h2 { font-size: 20px; margin: 0 0 4px; padding-top: 24px; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
        .command { margin: 0 0 12px; overflow-wrap: anywhere; }
        .command code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; color: var(--soft); }
        .query { display: flex; gap: 12px; margin: 0 0 16px; }
        .asked { margin: 0; font-size: 13px; color: var(--soft); }
        .asked img { height: 120px; max-width: 240px; object-fit: contain; background: #fff; border: 2px solid var(--accent); border-radius: 8px; display: block; }
        .hits { list-style: none; margin: 0; padding: 0; display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); }
        .hits li { background: var(--tile); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; min-width: 0; }
        .hits a { display: block; background: #fff; }
        .hits img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; }
        .hits a:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
        .gone { display: grid; place-items: center; aspect-ratio: 1; padding: 12px; color: #6b6b70; font-size: 12px; overflow-wrap: anywhere; }
        .name {
          margin: 8px 10px 0; font-size: 14px; overflow: hidden; overflow-wrap: anywhere; display: -webkit-box;
          -webkit-line-clamp: 2; -webkit-box-orient: vertical;
        }
        .facts { margin: 2px 10px 10px; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; }
        .rank { font-weight: 600; color: var(--ink); }
        .none { color: var(--soft); }
        @media print { .hits li { break-inside: avoid; } nav { display: none; } }
        """
}
