import { testStories } from "./told.ts";

testStories(4);
