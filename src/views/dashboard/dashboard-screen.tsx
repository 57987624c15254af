import { Box, Text, useApp, useInput, useWindowSize } from 'ink';
import { memo, useEffect, useSyncExternalStore } from 'react';
import { keyNames } from './key-name.ts';
import type { DashboardModel } from './model.ts';

/** One line that is made already. Drawn again only when it is another. */
const TextLine = memo(function TextLine({ text }: { readonly text: string }) {
  return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>;
});

/** Lines in, text out. */
export function Lines({ lines }: { readonly lines: readonly string[] }) {
  return (
    <Box flexDirection="column">
      {lines.map((text, at) => (
        <TextLine key={at} text={text} />
      ))}
    </Box>
  );
}

export interface DashboardScreenProps {
  readonly model: DashboardModel;
  /** Given the way to lend the terminal to another program. */
  readonly onReady: (lend: (use: () => Promise<void>) => Promise<void>) => void;
}

export function DashboardScreen({ model, onReady }: DashboardScreenProps) {
  const lines = useSyncExternalStore(model.subscribe, model.lines);
  const { columns, rows } = useWindowSize();
  const { suspendTerminal } = useApp();
  useEffect(() => onReady(suspendTerminal), [onReady, suspendTerminal]);
  useEffect(() => model.update((state) => ({ ...state, columns, rows })), [model, columns, rows]);
  useInput((input, key) => {
    for (const name of keyNames(input, key)) model.press(name);
  });
  return <Lines lines={lines} />;
}
